"""Token backends, which sign and read tokens.

`TokenBackend` receives its keys as arguments. `ProjectBackend` uses the project's keys.
"""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils.translation import gettext_lazy as _

from drf_signet import runtime
from drf_signet.errors import SignetError, TokenExpired, WrongAlgorithm
from drf_signet.jose import checks, claims
from drf_signet.jose.codec import Codec
from drf_signet.jose.keys import ALGORITHMS, Key, KeyRing

from . import logout_string
from .exceptions import LogoutOnlyError, TokenBackendError, TokenBackendExpiredToken
from .settings import Setting, api_settings
from .tenancy import check_tenant
from .unverified import decode_unverified
from .utils import datetime_to_epoch, format_lazy

ALLOWED_ALGORITHMS = frozenset(ALGORITHMS)

#: Whether JWK_URL can be used. Always False, because this package does not fetch key sets.
JWK_CLIENT_AVAILABLE = False

#: Names that simplejwt imports from PyJWT. Here they would have no effect.
_OF_PYJWT = frozenset(
    {
        *("ExpiredSignatureError", "InvalidAlgorithmError", "InvalidTokenError"),
        *("PyJWKClient", "PyJWKClientError", "algorithms", "jwt"),
    }
)

_DATES = ("exp", "iat", "nbf")
_NO_JWK_URL = "JWK_URL is not supported: set VERIFYING_KEY or KEYS instead"
_KEYS_ARE_LOADED_ELSEWHERE = (
    "drf-signet does not use PyJWT, and hands out no loaded keys: use `signing_key` and "
    "`verifying_key`"
)


def __getattr__(name: str) -> Any:
    """Raise AttributeError, with the reason if simplejwt has the name."""
    reason = ": drf-signet does not use PyJWT" if name in _OF_PYJWT else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{reason}")


class _Unsupported:
    """A descriptor for an attribute that would have no effect. The error says why.

    Args:
        reason: the message of the AttributeError.
        value: the value of the attribute if it can at least be read.
    """

    def __init__(self, reason: str, **value: Any) -> None:
        self._reason = reason
        self._value = value

    def __get__(self, backend: object, owner: type) -> Any:
        if "value" not in self._value:
            raise AttributeError(self._reason)
        return self._value["value"]

    def __set__(self, backend: object, value: object) -> None:
        raise AttributeError(self._reason)


class TokenBackend:
    """A backend that signs and reads tokens with the keys that are passed to it.

    A secret that is shorter than the algorithm requires causes a warning.

    Args:
        algorithm: the JWS algorithm.
        signing_key: a secret or private key; None for a backend that only reads.
        verifying_key: a public key.
        audience, issuer: added to each token that is signed, and required in each token that is
            read.
        jwk_url: must be None, because this package does not fetch key sets.
        leeway: the allowed difference between the clocks of two servers, in seconds or as a
            timedelta.
        json_encoder: a `json.JSONEncoder` class for claims whose types JSON does not support.
    """

    jwks_client = _Unsupported(_NO_JWK_URL, value=None)
    prepared_signing_key = _Unsupported(_KEYS_ARE_LOADED_ELSEWHERE)
    prepared_verifying_key = _Unsupported(_KEYS_ARE_LOADED_ELSEWHERE)
    get_verifying_key = _Unsupported(_KEYS_ARE_LOADED_ELSEWHERE)

    def __init__(
        self,
        algorithm: str,
        signing_key: Any = None,
        verifying_key: Any = "",
        audience: str | Iterable[str] | None = None,
        issuer: str | None = None,
        jwk_url: str | None = None,
        leeway: Any = None,
        json_encoder: Any = None,
    ) -> None:
        if algorithm not in ALLOWED_ALGORITHMS:
            raise TokenBackendError(format_lazy(_("Unrecognized algorithm type '{}'"), algorithm))
        if jwk_url:
            raise TokenBackendError(_NO_JWK_URL)
        self.algorithm = algorithm
        self.signing_key = signing_key
        self.verifying_key = verifying_key
        self.audience = audience
        self.issuer = issuer
        self.leeway = leeway
        self.json_encoder = json_encoder

    @cached_property
    def _codec(self) -> Codec:
        symmetric = ALGORITHMS[self.algorithm] == "oct"
        materials = [self.signing_key] if symmetric else [self.signing_key, self.verifying_key]
        ring = [
            Key(algorithm=self.algorithm, material=key, allow_short=True)
            for key in materials
            if key
        ]
        if any(key.is_short for key in ring):
            message = f"a secret for {self.algorithm} is short, and can be guessed (RFC 7518 §3.2)"
            warnings.warn(message, stacklevel=2)
        return Codec(KeyRing(keys=tuple(ring)))

    @property
    def _rules(self) -> claims.Rules:
        audience = [self.audience] if isinstance(self.audience, str) else self.audience or ()
        return claims.Rules(
            user_key=str,
            issuer=self.issuer,
            audience=tuple(audience),
            leeway=self.get_leeway().total_seconds(),
        )

    def get_leeway(self) -> timedelta:
        """Return the leeway as a timedelta.

        Raises:
            TokenBackendError: the leeway is not a number or a timedelta.
        """
        if isinstance(self.leeway, timedelta):
            return self.leeway
        if self.leeway is None or isinstance(self.leeway, int | float):
            return timedelta(seconds=self.leeway or 0)
        message = _("Unrecognized type '{}', 'leeway' must be of type int, float or timedelta.")
        raise TokenBackendError(format_lazy(message, type(self.leeway)))

    def encode(self, payload: Mapping[str, Any]) -> str:
        """Add the backend's audience and issuer to a payload, sign it, and return the token.

        Raises:
            TypeError, ValueError: the payload cannot be written as JSON, or `decode` would refuse
                the token.
        """
        signed = dict(payload)
        for name in _DATES:
            if isinstance(signed.get(name), datetime):
                signed[name] = datetime_to_epoch(signed[name])
        if self._rules.audience:
            audience = self._rules.audience
            signed["aud"] = audience[0] if len(audience) == 1 else list(audience)
        if self._rules.issuer is not None:
            signed["iss"] = self._rules.issuer
        if self.json_encoder is not None:
            signed = json.loads(json.dumps(signed, cls=self.json_encoder))
        return self._sign(signed)

    def _sign(self, payload: Mapping[str, Any]) -> str:
        return self._codec.encode(payload)

    def _read(self, raw_token: str) -> dict[str, Any]:
        return self._codec.decode(raw_token)

    def encode_logout_string(
        self,
        *,
        jti: str,
        expires_at: int,
        session_id: uuid.UUID | None,
        tenant: str | None = None,
    ) -> str:
        """Return a string that can only be used to end a session; see `logout_string.encode`."""
        return logout_string.encode(
            self._codec, jti=jti, expires_at=expires_at, session_id=session_id, tenant=tenant
        )

    def decode(self, token: str | bytes, verify: bool = True) -> dict[str, Any]:
        """Return the payload of a token.

        Args:
            verify: if False, neither the signature nor the claims are checked.

        Raises:
            TokenBackendExpiredToken: the token has expired.
            LogoutOnlyError: `token` is a string that can only be used to end a session.
            TokenBackendError: the token cannot be read or verified.
        """
        raw_token = token.decode("latin-1") if isinstance(token, bytes) else token
        try:
            if logout_string.is_logout_only(raw_token):
                raise LogoutOnlyError(self._decode_logout_string(raw_token, verify))
            return self._decode_verified(raw_token) if verify else decode_unverified(raw_token)
        except TokenExpired as error:
            raise TokenBackendExpiredToken(_("Token is expired")) from error
        except WrongAlgorithm as error:
            raise TokenBackendError(_("Invalid algorithm specified")) from error
        except (SignetError, ValueError) as error:
            raise TokenBackendError(_("Token is invalid")) from error

    def read_signed(self, token: str) -> dict[str, Any]:
        """Check the signature of a token, but not its claims, and return the payload.

        A logout-only string is also accepted.

        Raises:
            TokenBackendError: the signature is not valid.
        """
        try:
            if logout_string.is_logout_only(token):
                return self._decode_logout_string(token, verify=False)
            payload = self._read(token)
        except SignetError as error:
            raise TokenBackendError(_("Token is invalid")) from error
        return logout_string.from_former_version(payload) or payload

    def _decode_verified(self, raw_token: str) -> dict[str, Any]:
        payload = self._read(raw_token)
        if "exp" in payload:  # optional here, but `Token.verify` requires it
            checks.check_times(payload, leeway=self._rules.leeway, now=runtime.now())
        checks.check_parties(
            payload,
            issuer=self._rules.issuer,
            audience=self._rules.audience,
            optional=runtime.now() < self._rules.both_profiles_until,
        )
        if (logout_only := logout_string.from_former_version(payload)) is not None:
            raise LogoutOnlyError(logout_only)
        return payload

    def _decode_logout_string(self, raw_token: str, verify: bool) -> dict[str, Any]:
        """Return the claims of a logout-only string. The signature is checked in any case."""
        payload = logout_string.decode(self._codec, raw_token)
        if verify:
            checks.check_times(payload, leeway=self._rules.leeway, now=runtime.now())
        return payload


class _SharedSetting(Setting):
    """A descriptor that reads a setting. Assigning to it assigns to `api_settings`."""

    def __set__(self, backend: object, value: object) -> None:
        setattr(api_settings, self._name, value)

    def __delete__(self, backend: object) -> None:
        delattr(api_settings, self._name)


class ProjectBackend(TokenBackend):
    """A backend that signs and reads tokens with the project's current keys and settings.

    Assigning an attribute changes the setting in the whole process, as in `api_settings`.
    """

    def __init__(self) -> None:
        """Accept no arguments. Every attribute is read from the settings when it is used."""

    algorithm = _SharedSetting("ALGORITHM")
    signing_key = _SharedSetting("SIGNING_KEY")
    verifying_key = _SharedSetting("VERIFYING_KEY")
    audience = _SharedSetting("AUDIENCE")
    issuer = _SharedSetting("ISSUER")
    leeway = _SharedSetting("LEEWAY")
    json_encoder = _SharedSetting("JSON_ENCODER")
    _codec = property(lambda self: runtime.current().codec)
    _rules = property(lambda self: runtime.current().rules)

    def _sign(self, payload: Mapping[str, Any]) -> str:
        return runtime.current().keys.profiles.encode(payload, now=runtime.now())

    def _read(self, raw_token: str) -> dict[str, Any]:
        return runtime.current().keys.profiles.decode(raw_token, None, now=runtime.now())

    def _decode_verified(self, raw_token: str) -> dict[str, Any]:
        payload = super()._decode_verified(raw_token)
        check_tenant(payload)
        return payload
