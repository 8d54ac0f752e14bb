"""Compare drf-signet with similar packages, on one machine in one run (`make bench`).

    python -m benchmarks [--quick] [SCENARIO...]

A stack is one package in one configuration. The module `stacks` defines the stacks, `scenarios`
contains the measurements, and `tasks` contains the code that runs inside Django.

The driver (`python -m benchmarks`) does not import Django. It starts all other processes: a worker
(`benchmarks.worker`) for each stack, gunicorn servers, a proxy that delays messages, and load
generators. In each round, the stacks are measured one after another.
"""
