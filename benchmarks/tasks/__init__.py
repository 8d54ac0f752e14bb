"""What runs inside Django, in a worker: functions of JSON values. See `benchmarks.worker`."""
