"""The WSGI application, which the example uses if EXAMPLE_SERVER is `gunicorn`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
