"""Run the test suites of simplejwt and of packages that use it, with simplejwt and the alias.

The suites only measure compatibility. They are downloaded into a temporary directory, and run
unchanged. `python -m tests.swap.suites` (or `make suites`) compares the results with `misses.toml`.
"""
