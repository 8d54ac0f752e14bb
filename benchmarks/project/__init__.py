"""The Django project that every stack is served by: same settings, same views, same database."""
