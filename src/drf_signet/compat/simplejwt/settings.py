"""`api_settings`: the settings by their old names, read each time, and assignable."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from drf_signet import conf, shared

from .alias import OLD

_SERIALIZERS = {
    "TOKEN_OBTAIN_SERIALIZER": "TokenObtainPairSerializer",
    "TOKEN_REFRESH_SERIALIZER": "TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "TokenBlacklistSerializer",
    "SLIDING_TOKEN_OBTAIN_SERIALIZER": "TokenObtainSlidingSerializer",
    "SLIDING_TOKEN_REFRESH_SERIALIZER": "TokenRefreshSlidingSerializer",
}

#: What holds where neither SIGNET nor SIMPLE_JWT says anything. SIGNING_KEY: Django's SECRET_KEY.
DEFAULTS: dict[str, Any] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": False,
    "BLACKLIST_AFTER_ROTATION": False,
    "UPDATE_LAST_LOGIN": False,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": None,
    "VERIFYING_KEY": "",
    "AUDIENCE": None,
    "ISSUER": None,
    "JSON_ENCODER": None,
    "JWK_URL": None,
    "LEEWAY": 0,
    "AUTH_HEADER_TYPES": ("Bearer",),
    "AUTH_HEADER_NAME": "HTTP_AUTHORIZATION",
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "user_id",
    "USER_AUTHENTICATION_RULE": f"{OLD}.authentication.default_user_authentication_rule",
    "AUTH_TOKEN_CLASSES": (f"{OLD}.tokens.AccessToken",),
    "TOKEN_TYPE_CLAIM": "token_type",
    "JTI_CLAIM": "jti",
    "TOKEN_USER_CLASS": f"{OLD}.models.TokenUser",
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM": "refresh_exp",
    "SLIDING_TOKEN_LIFETIME": timedelta(minutes=5),
    "SLIDING_TOKEN_REFRESH_LIFETIME": timedelta(days=1),
    **{name: f"{OLD}.serializers.{serializer}" for name, serializer in _SERIALIZERS.items()},
    "CHECK_REVOKE_TOKEN": False,
    "REVOKE_TOKEN_CLAIM": "hash_password",
    "CHECK_USER_IS_ACTIVE": True,
}

#: Settings whose dotted paths are replaced by what they name.
IMPORT_STRINGS = (
    "AUTH_TOKEN_CLASSES",
    "JSON_ENCODER",
    "TOKEN_USER_CLASS",
    "USER_AUTHENTICATION_RULE",
)

_ABSENT = object()


class APISettings:
    """The settings as attributes: `SIGNET` first, then `SIMPLE_JWT`, then the default.

    An assigned value is the project's `SIMPLE_JWT` for this process, until it is deleted again or
    the setting itself changes; so `mock.patch.object` and `override_settings` both work.
    """

    defaults = DEFAULTS
    import_strings = IMPORT_STRINGS

    def __init__(self) -> None:
        self.__dict__["_before"] = {}

    @property
    def user_settings(self) -> dict[str, Any]:
        """What the project wrote into `SIMPLE_JWT`: a copy."""
        return dict(conf.given("SIMPLE_JWT"))

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"Invalid API setting: '{name}'")
        value = self._chosen(name)
        return _imported(value) if name in IMPORT_STRINGS else value

    def __setattr__(self, name: str, value: Any) -> None:
        given = self.user_settings
        self._before.setdefault(name, given.get(name, _ABSENT))
        self.__dict__[name] = value  # where `mock.patch.object` looks for what it has to restore
        _write(given | {name: value})

    def __delattr__(self, name: str) -> None:
        if name not in self._before:
            raise AttributeError(name)
        value, given = self._before.pop(name), self.user_settings
        del self.__dict__[name], given[name]
        _write(given if value is _ABSENT else given | {name: value})

    def reload(self) -> None:
        """Forget what was assigned; the settings themselves are read each time."""
        self.__dict__.clear()
        self.__dict__["_before"] = {}

    def _chosen(self, name: str) -> Any:
        signet, simple_jwt = conf.given("SIGNET"), conf.given("SIMPLE_JWT")
        if name in signet and name in shared.SHARED_WITH_SIMPLE_JWT:
            return signet[name]
        value = simple_jwt.get(name, DEFAULTS[name])
        return conf.secrets()[0] if name == "SIGNING_KEY" and value is None else value


def _write(simple_jwt: Mapping[str, Any]) -> None:
    """Change the setting, and let everybody know who keeps something that was made from it."""
    django_settings.SIMPLE_JWT = simple_jwt
    setting_changed.send(APISettings, setting="SIMPLE_JWT", value=simple_jwt, enter=True)


def _imported(value: Any) -> Any:
    if isinstance(value, str):
        return import_string(value)
    return [_imported(one) for one in value] if isinstance(value, list | tuple) else value


api_settings = APISettings()


def reload_api_settings(*, sender: Any, setting: str, **kwargs: Any) -> None:
    """Forget what was assigned when `SIMPLE_JWT` itself changes."""
    if setting == "SIMPLE_JWT" and sender is not APISettings:
        api_settings.reload()


setting_changed.connect(reload_api_settings, dispatch_uid=f"{__name__}.reload_api_settings")
