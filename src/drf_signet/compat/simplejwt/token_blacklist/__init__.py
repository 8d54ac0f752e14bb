"""The app of outstanding and blacklisted tokens: label `token_blacklist`."""
