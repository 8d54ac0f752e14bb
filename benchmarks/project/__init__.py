"""The Django project that all benchmarks use. Environment variables select the tested package."""
