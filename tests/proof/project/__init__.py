"""The Django project that the scenarios serve. It uses drf-signet or simplejwt, with rotation."""
