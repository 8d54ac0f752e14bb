"""`make bench`: drf-signet beside its peers, on one machine, in one run.

    python -m benchmarks [--quick] [SCENARIO...]

The driver (this package, no Django) starts workers (`benchmarks.worker`, one Django per stack),
gunicorn servers, a delaying proxy and load generators, and interleaves their rounds. What a stack
is stands in `stacks`; what is measured, in `scenarios`; what runs inside Django, in `tasks`.
"""
