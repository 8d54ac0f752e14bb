"""A project written for simplejwt 5.5.1. Its code does not import drf-signet."""
