"""A Django app that counts SQL statements. It has no models."""

from __future__ import annotations

from django.apps import AppConfig


class BenchmarkConfig(AppConfig):
    """The configuration of the app, which starts to count SQL statements when Django starts."""

    name = "benchmarks.project"
    label = "benchmark"

    def ready(self) -> None:
        """Start counting the SQL statements of all connections."""
        from . import statements

        statements.install()
