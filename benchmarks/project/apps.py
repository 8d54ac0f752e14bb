"""The benchmark's own app: no models, it only counts statements."""

from __future__ import annotations

from django.apps import AppConfig


class BenchmarkConfig(AppConfig):
    """Start counting when Django is ready."""

    name = "benchmarks.project"
    label = "benchmark"

    def ready(self) -> None:
        """Install the counter."""
        from . import statements

        statements.install()
