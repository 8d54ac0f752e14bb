"""The report and the token import of `manage.py signet_migrate_from_simplejwt`."""
