"""The demo page: a front end of drf-signet's client, and what it plays with on the server.

All of it is for development: 404 unless DEBUG.
"""
