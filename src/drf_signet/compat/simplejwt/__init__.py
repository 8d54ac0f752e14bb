"""Support for projects that use djangorestframework-simplejwt or move away from it.

This package has two parts. The first part works in every project, even if this app is not
installed. It reads simplejwt's settings and blacklist, and accepts simplejwt's refresh tokens:

- `registration`: connects the modules below to drf_signet; called by drf_signet's AppConfig
- `shared_settings`: the keys of SIMPLE_JWT that drf_signet reads
- `blacklist`: read-only access to simplejwt's tables
- `adoption`: creates sessions for simplejwt's refresh tokens
- `checks`: system checks for projects that move from simplejwt
- `moving`: the report and the token import of `manage.py signet_migrate_from_simplejwt`

The second part is simplejwt's public API. A project uses it by listing this app in INSTALLED_APPS.
`alias` then makes imports of `rest_framework_simplejwt` return these modules:

- simplejwt's modules: `authentication`, `backends`, `exceptions`, `models`, `serializers`,
  `settings`, `state`, `token_blacklist`, `tokens`, `utils`, `views`
- modules that only simplejwt's modules use: `logins`, `refreshing`, `tables`, `wire`

The first part imports only `alias` and `utils` from the second part. An import-linter contract in
pyproject.toml checks this.
"""

#: The version of simplejwt whose public API this package implements.
__version__ = "5.5.1"
