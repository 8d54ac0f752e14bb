"""Load the user of a token, lazily or immediately, and end sessions when a user changes."""

from .loading import all_users, load

__all__ = ["all_users", "load"]
