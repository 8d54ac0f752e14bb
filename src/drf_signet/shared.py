"""What djangorestframework-simplejwt has and is read here too: settings by name, and one claim."""

import hashlib

#: Settings of djangorestframework-simplejwt that mean the same here: read from `SIMPLE_JWT` too.
SHARED_WITH_SIMPLE_JWT = frozenset(
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
#: Of the rest, those that have an effect under the alias of its name.
READ_UNDER_THE_ALIAS = frozenset(
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

#: Settings by which tokens of before are judged while they are adopted, with the alias or without.
READ_WITH_TOKENS_OF_OLD = frozenset({"CHECK_REVOKE_TOKEN", "REVOKE_TOKEN_CLAIM"})
#: The claim by which CHECK_REVOKE_TOKEN knows a token from before a change of the password.
REVOKE_TOKEN_CLAIM = "hash_password"  # noqa: S105 - a name


def get_md5_hash_password(password: str) -> str:
    """Return what stands in that claim, to check tokens of old; none of ours has it."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()
