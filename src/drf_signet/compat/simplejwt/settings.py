"""`api_settings`, an object whose attributes are simplejwt's settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from drf_signet.conf import settings as conf

from . import shared_settings
from .alias import OLD

_SERIALIZERS = {
    "TOKEN_OBTAIN_SERIALIZER": "TokenObtainPairSerializer",
    "TOKEN_REFRESH_SERIALIZER": "TokenRefreshSerializer",
    "TOKEN_VERIFY_SERIALIZER": "TokenVerifySerializer",
    "TOKEN_BLACKLIST_SERIALIZER": "TokenBlacklistSerializer",
    "SLIDING_TOKEN_OBTAIN_SERIALIZER": "TokenObtainSlidingSerializer",
    "SLIDING_TOKEN_REFRESH_SERIALIZER": "TokenRefreshSlidingSerializer",
}

_DEFAULTS: dict[str, Any] = {
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
    "REVOKE_TOKEN_CLAIM": shared_settings.REVOKE_TOKEN_CLAIM,
    "CHECK_USER_IS_ACTIVE": True,
}
#: The default of each setting. If SIGNING_KEY is None, SECRET_KEY is used. Read-only, because
#: drf_signet has the same defaults in another place.
DEFAULTS: Mapping[str, Any] = MappingProxyType(_DEFAULTS)

#: Settings that contain dotted paths. `api_settings` returns the imported objects.
IMPORT_STRINGS = (
    "AUTH_TOKEN_CLASSES",
    "JSON_ENCODER",
    "TOKEN_USER_CLASS",
    "USER_AUTHENTICATION_RULE",
)

_ABSENT = object()

#: Settings for which only the default and None have an effect → the reason.
_WITHOUT_EFFECT: Mapping[str, str] = {
    "JTI_CLAIM": "the id of a token is always in the claim 'jti'",
    "JWK_URL": "keys are not fetched from a URL; set VERIFYING_KEY, or KEYS in SIGNET",
    "TOKEN_TYPE_CLAIM": "the type of a token is always in the claim 'token_type'",
}

#: Settings that simplejwt removed. It refuses to start if `SIMPLE_JWT` contains them.
REMOVED_SETTINGS = ("AUTH_HEADER_TYPE", "AUTH_TOKEN_CLASS", "SECRET_KEY", "TOKEN_BACKEND_CLASS")


def __getattr__(name: str) -> Any:
    """Return USER_SETTINGS: the project's `SIMPLE_JWT`, or None if the project does not set it."""
    if name == "USER_SETTINGS":
        return getattr(django_settings, shared_settings.SETTING, None)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Setting:
    """A descriptor that returns the current value of a setting.

    A value that is assigned to an instance, a class or a subclass takes precedence.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        return getattr(api_settings, self._name)


class UserSettings(MutableMapping[str, Any]):
    """The project's `SIMPLE_JWT`. A change takes effect until `SIMPLE_JWT` is replaced."""

    def __init__(self, owner: APISettings) -> None:
        self._owner = owner

    def __getitem__(self, name: str) -> Any:
        return self._owner._project_settings()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_without_effect(name, value)
        self._owner._publish({**self._owner._project_settings(), name: value})

    def __delitem__(self, name: str) -> None:
        remaining = dict(self._owner._project_settings())
        del remaining[name]
        self._owner._publish(remaining)

    def __iter__(self) -> Iterator[str]:
        return iter(self._owner._project_settings())

    def __len__(self) -> int:
        return len(self._owner._project_settings())

    def __repr__(self) -> str:
        return repr(self._owner._project_settings())

    def copy(self) -> dict[str, Any]:
        """Return a copy, which can be changed without an effect on the settings."""
        return dict(self)


class APISettings:
    """simplejwt's settings as attributes.

    The value of an attribute comes from `SIGNET` if both packages have the setting and `SIGNET`
    contains it, otherwise from `SIMPLE_JWT`, otherwise from the defaults. Values are not cached, so
    `override_settings` works.

    Assigning to an attribute changes `SIMPLE_JWT` in this process, until the attribute is deleted
    or `SIMPLE_JWT` is replaced. So `mock.patch.object` works. `user_settings` can be changed as
    well. An assigned attribute takes precedence over it.
    """

    defaults = DEFAULTS
    import_strings = IMPORT_STRINGS

    #: The name of each assigned attribute → its value in the project's settings, or `_ABSENT`.
    _replaced: dict[str, Any]

    def __init__(self) -> None:
        self.__dict__["_replaced"] = {}

    @property
    def user_settings(self) -> UserSettings:
        """The project's `SIMPLE_JWT`, which tests may change."""
        return UserSettings(self)

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"Invalid API setting: '{name}'")
        value = self._look_up(name)
        return _import(value) if name in IMPORT_STRINGS else value

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse_without_effect(name, value)
        project = self._project_settings()
        self._replaced[name] = _ABSENT  # `_publish` sets the project's value
        self.__dict__[name] = value  # `mock.patch.object` looks for the old value here
        self._publish(project)

    def __delattr__(self, name: str) -> None:
        if name not in self._replaced:
            raise AttributeError(name)
        project = self._project_settings()
        del self._replaced[name], self.__dict__[name]
        self._publish(project)

    def reload(self) -> None:
        """Forget all values that were assigned to attributes, and read `SIMPLE_JWT` again."""
        project = self._project_settings()
        self._forget()
        self._publish(project)

    def _project_settings(self) -> dict[str, Any]:
        """Return `SIMPLE_JWT` without the values that were assigned to attributes."""
        given = conf.given(shared_settings.SETTING)
        kept = {name: value for name, value in given.items() if name not in self._replaced}
        return kept | {n: value for n, value in self._replaced.items() if value is not _ABSENT}

    def _forget(self) -> None:
        self.__dict__.clear()
        self.__dict__["_replaced"] = {}

    def _publish(self, project: Mapping[str, Any]) -> None:
        """Replace `SIMPLE_JWT`, and send `setting_changed`: drf_signet then reads its settings."""
        for name in self._replaced:
            self._replaced[name] = project.get(name, _ABSENT)
        simple_jwt = {**project, **{name: self.__dict__[name] for name in self._replaced}}
        django_settings.SIMPLE_JWT = simple_jwt
        setting_changed.send(
            APISettings, setting=shared_settings.SETTING, value=simple_jwt, enter=True
        )

    def _look_up(self, name: str) -> Any:
        signet = conf.given("SIGNET")
        if name in signet and name in shared_settings.SHARED:
            return signet[name]
        value = conf.given(shared_settings.SETTING).get(name, DEFAULTS[name])
        return conf.secrets()[0] if name == "SIGNING_KEY" and value is None else value


def _refuse_without_effect(name: str, value: Any) -> None:
    """Raise ImproperlyConfigured if a new value of a setting would have no effect."""
    signet = conf.given("SIGNET")
    if name in REMOVED_SETTINGS:
        raise ImproperlyConfigured(f"{name} has been removed from simplejwt")
    if name in shared_settings.SHARED and signet.get(name, value) != value:
        raise ImproperlyConfigured(
            f"a new {name} would have no effect, because SIGNET contains it and takes precedence: "
            f"change it there, in tests with override_settings(SIGNET=...)"
        )
    reason = _WITHOUT_EFFECT.get(name)
    if reason is not None and value not in (None, DEFAULTS[name]):
        raise ImproperlyConfigured(f"{name} has no effect in drf-signet: {reason}")


def _import(value: Any) -> Any:
    """Import the object at a dotted path, or a list of objects. Return other values unchanged."""
    if isinstance(value, str):
        return import_string(value)
    return [_import(item) for item in value] if isinstance(value, list | tuple) else value


api_settings = APISettings()


def reload_api_settings(*, sender: Any, setting: str, **kwargs: Any) -> None:
    """When `SIMPLE_JWT` is replaced, forget all values that were assigned to `api_settings`."""
    if setting == shared_settings.SETTING and sender is not APISettings:
        api_settings._forget()


setting_changed.connect(reload_api_settings, dispatch_uid=f"{__name__}.reload_api_settings")
