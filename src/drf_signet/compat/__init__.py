"""Compatibility with other packages.

Only `drf_signet.apps` and the command `signet_migrate_from_simplejwt` import this package.
"""
