"""`TokenBackend`: claims ⇄ signed texts, by a key of its own or by the project's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils.translation import gettext_lazy as _

from drf_signet import claims, runtime, strictjson
from drf_signet.codec import Codec
from drf_signet.errors import SignetError, TokenExpired
from drf_signet.keys import ALGORITHMS, Key, KeyRing

from .exceptions import TokenBackendError, TokenBackendExpiredToken
from .settings import api_settings
from .utils import datetime_to_epoch, format_lazy

ALLOWED_ALGORITHMS = frozenset(ALGORITHMS)

_DATES = ("exp", "iat", "nbf")


class TokenBackend:
    """Signs and reads with the keys that it is given.

    Args:
        algorithm: the JWS algorithm.
        signing_key: a secret or private key; None for a backend that only reads.
        verifying_key: a public key.
        audience, issuer: written, and demanded.
        jwk_url: None. A key set that is fetched is not supported.
        leeway: seconds, or a timedelta.
        json_encoder: a class for claims that are not JSON yet.
    """

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
            raise TokenBackendError("JWK_URL is not supported: give VERIFYING_KEY or KEYS")
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
        ring = [Key(algorithm=self.algorithm, material=one) for one in materials if one]
        return Codec(KeyRing(keys=tuple(ring)))

    @property
    def _rules(self) -> claims.Rules:
        named = [self.audience] if isinstance(self.audience, str) else self.audience or ()
        return claims.Rules(
            user_key=str,
            issuer=self.issuer,
            audience=tuple(named),
            leeway=self.get_leeway().total_seconds(),
        )

    def get_leeway(self) -> timedelta:
        """Return by how much clocks may differ."""
        if isinstance(self.leeway, timedelta):
            return self.leeway
        if self.leeway is None or isinstance(self.leeway, int | float):
            return timedelta(seconds=self.leeway or 0)
        text = _("Unrecognized type '{}', 'leeway' must be of type int, float or timedelta.")
        raise TokenBackendError(format_lazy(text, type(self.leeway)))

    def encode(self, payload: Mapping[str, Any]) -> str:
        """Sign a payload; audience and issuer are added.

        Raises:
            TypeError, ValueError: it is not JSON, or makes a token that nobody would read.
        """
        signed = dict(payload)
        for name in _DATES:
            if isinstance(signed.get(name), datetime):
                signed[name] = datetime_to_epoch(signed[name])
        if self._rules.audience:
            named = self._rules.audience
            signed["aud"] = named[0] if len(named) == 1 else list(named)
        if self._rules.issuer is not None:
            signed["iss"] = self._rules.issuer
        if self.json_encoder is not None:
            signed = json.loads(json.dumps(signed, cls=self.json_encoder))
        return self._codec.encode(signed)

    def decode(self, token: str | bytes, verify: bool = True) -> dict[str, Any]:
        """Return the payload of a token.

        Args:
            verify: False reads whatever stands there, signed by whomsoever.

        Raises:
            TokenBackendExpiredToken: it has expired.
            TokenBackendError: it is not signed by a key of ours, or not to be believed.
        """
        text = token.decode("latin-1") if isinstance(token, bytes) else token
        try:
            return self._verified(text) if verify else _unverified(text)
        except TokenExpired as error:
            raise TokenBackendExpiredToken(_("Token is expired")) from error
        except (SignetError, ValueError) as error:
            raise TokenBackendError(_("Token is invalid")) from error

    def read_signed(self, token: str) -> dict[str, Any]:
        """Return the payload of a token that a key of ours has signed, whatever it says.

        Raises:
            TokenBackendError: none has.
        """
        try:
            return self._codec.decode(token)
        except SignetError as error:
            raise TokenBackendError(_("Token is invalid")) from error

    def _verified(self, text: str) -> dict[str, Any]:
        payload = self._codec.decode(text)
        if "exp" in payload:  # whether it has to be there is the token's question
            claims.check_times(payload, self._rules, runtime.now())
        claims.check_parties(payload, self._rules)
        return payload


class ProjectBackend(TokenBackend):
    """Signs and reads with the keys of the project, by the settings in force."""

    def __init__(self) -> None:
        """Nothing is read yet."""

    algorithm = property(lambda self: runtime.current().settings.ALGORITHM)
    signing_key = property(lambda self: runtime.current().settings.SIGNING_KEY)
    verifying_key = property(lambda self: runtime.current().settings.VERIFYING_KEY)
    audience = property(lambda self: runtime.current().settings.AUDIENCE)
    issuer = property(lambda self: runtime.current().settings.ISSUER)
    leeway = property(lambda self: runtime.current().settings.LEEWAY)
    json_encoder = property(lambda self: api_settings.JSON_ENCODER)
    _codec = property(lambda self: runtime.current().codec)
    _rules = property(lambda self: runtime.current().rules)


def _unverified(text: object) -> dict[str, Any]:
    if not isinstance(text, str) or text.count(".") != 2:
        raise ValueError("not three segments")
    try:
        payload = strictjson.loads(strictjson.b64url_decode(text.split(".")[1]))
    except (ValueError, RecursionError) as error:
        raise ValueError("not strict JSON") from error
    if not isinstance(payload, dict):
        raise ValueError("not an object")
    return payload
