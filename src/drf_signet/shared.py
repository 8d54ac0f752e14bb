"""The names of the settings that djangorestframework-simplejwt has and that are read here too."""

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
