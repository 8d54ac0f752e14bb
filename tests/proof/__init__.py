"""End-to-end tests of sessions on real servers and databases.

The scenarios are parallel refreshes, lost responses, stolen tokens, crashes, clock changes,
upgrades and long runs. `python -m tests.proof` runs all scenarios in full and writes their tables
into `docs/reliability.md`. The tests in this folder run a short version of each scenario.
"""
