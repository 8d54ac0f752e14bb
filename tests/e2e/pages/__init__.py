"""A project with pages that use the JavaScript client.

Tests can count the refresh requests of the pages, delay these requests, and make them fail.
"""
