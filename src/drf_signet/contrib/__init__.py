"""Adapters for other packages. `drf_signet.apps` loads those whose package is installed."""
