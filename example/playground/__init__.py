"""The demo page, which uses drf-signet's JavaScript client, and the endpoints for this page.

The demo is only for development: all URLs of this app return 404 unless DEBUG is on.
"""
