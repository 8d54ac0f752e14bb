"""The settings of simplejwt that drf_signet reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import alias

#: The name of the Django setting that contains simplejwt's settings.
SETTING = "SIMPLE_JWT"
#: Settings of simplejwt that have the same meaning in drf-signet.
SHARED = frozenset(
    {
        "ACCESS_TOKEN_LIFETIME",
        "REFRESH_TOKEN_LIFETIME",
        "ROTATE_REFRESH_TOKENS",
        "ALGORITHM",
        "SIGNING_KEY",
        "VERIFYING_KEY",
        "ISSUER",
        "AUDIENCE",
        "LEEWAY",
        "AUTH_HEADER_TYPES",
        "AUTH_HEADER_NAME",
        "USER_ID_FIELD",
        "USER_ID_CLAIM",
        "USER_AUTHENTICATION_RULE",
    }
)
#: Other settings of simplejwt that the alias reads.
READ_BY_ALIAS = frozenset(
    {
        "AUTH_TOKEN_CLASSES",
        "BLACKLIST_AFTER_ROTATION",
        "CHECK_REVOKE_TOKEN",
        "CHECK_USER_IS_ACTIVE",
        "JSON_ENCODER",
        "REVOKE_TOKEN_CLAIM",
        "SLIDING_TOKEN_LIFETIME",
        "SLIDING_TOKEN_OBTAIN_SERIALIZER",
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
        "SLIDING_TOKEN_REFRESH_LIFETIME",
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        "TOKEN_BLACKLIST_SERIALIZER",
        "TOKEN_OBTAIN_SERIALIZER",
        "TOKEN_REFRESH_SERIALIZER",
        "TOKEN_USER_CLASS",
        "TOKEN_VERIFY_SERIALIZER",
        "UPDATE_LAST_LOGIN",
    }
)

#: Settings of simplejwt that are read when a legacy token is adopted, even if the alias is not
#: installed.
READ_BY_ADOPTION = frozenset({"CHECK_REVOKE_TOKEN", "REVOKE_TOKEN_CLAIM"})
#: Default name of the claim that contains a password hash if CHECK_REVOKE_TOKEN is on.
REVOKE_TOKEN_CLAIM = "hash_password"  # noqa: S105 - a claim's name

#: Setting → the value that has the same effect as leaving out the setting.
_SAME_AS_UNSET: Mapping[str, Any] = {
    "LEEWAY": None,
    "USER_AUTHENTICATION_RULE": f"{alias.OLD}.authentication.default_user_authentication_rule",
    "VERIFYING_KEY": "",
}


def read(simple_jwt: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a `SIMPLE_JWT` dict to settings of drf_signet.

    If the alias is installed, failed logins are not limited, and CHECK_USER_IS_ACTIVE takes
    effect, as in simplejwt. LOGIN_THROTTLE and USER_AUTHENTICATION_RULE in `SIGNET` override this.
    """
    values = shared_values(simple_jwt)
    if not alias.in_installed_apps():
        return values
    values["LOGIN_THROTTLE"] = None
    inactive_users_are_allowed = not simple_jwt.get("CHECK_USER_IS_ACTIVE", True)
    if inactive_users_are_allowed and "USER_AUTHENTICATION_RULE" not in simple_jwt:
        values["USER_AUTHENTICATION_RULE"] = allow_any_user
    return values


def shared_values(simple_jwt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a `SIMPLE_JWT` dict that have the same meaning in drf_signet."""
    shared = {name: simple_jwt[name] for name in SHARED & simple_jwt.keys()}
    return {name: value for name, value in shared.items() if value != _SAME_AS_UNSET.get(name, ...)}


def allow_any_user(user: Any) -> bool:
    """Return True for every user, active or inactive; False for None.

    This function is the USER_AUTHENTICATION_RULE if CHECK_USER_IS_ACTIVE is off.
    """
    return user is not None
