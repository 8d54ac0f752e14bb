"""The settings: the `SIGNET` dict as one typed object, and the parsers for its values."""
