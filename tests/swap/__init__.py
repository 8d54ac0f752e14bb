"""A project that was made with djangorestframework-simplejwt moves, with its users logged in."""
