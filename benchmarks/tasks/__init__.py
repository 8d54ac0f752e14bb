"""Functions that `benchmarks.worker` runs inside Django. They take and return JSON values."""
