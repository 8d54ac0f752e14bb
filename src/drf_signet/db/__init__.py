"""Database helpers: the server's clock, retries after conflicts, precompiled statements."""
