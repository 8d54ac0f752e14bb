"""The two forms of access tokens: the package's own, and the profile of RFC 9068.

A token of the profile has the `typ` at+jwt in its header, and the claims `sub` and `client_id`. All
other tokens have the `typ` JWT, refresh tokens included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import WrongTyp
from .checks import check_at_jwt
from .claims import ACCESS, REFRESH, Rules
from .codec import Codec, CodecSchedule

AT_JWT = "at+jwt"


class Profiles:
    """Signs and reads tokens, each in the form of its type.

    `plain` returns the codecs of tokens with the `typ` JWT. `fixed` is the codec of all tokens at
    all times; it is None if there are two forms, or if keys have times. It only saves calls.

    Args:
        codec: the codec for tokens with the `typ` JWT, of any time.
        rules: say whether access tokens are in the profile, and until when both forms are accepted.
    """

    def __init__(self, codec: Codec, rules: Rules) -> None:
        self.plain = CodecSchedule(codec)
        self._rules = rules
        self._writes_at_jwt = rules.client_id is not None
        #: Legacy tokens have the `typ` JWT, too.
        self._both_until = max(rules.both_profiles_until, rules.adopt_until)
        reads_at_jwt = self._writes_at_jwt or rules.both_profiles_until > 0
        self._at_jwt = CodecSchedule(codec.with_typ(AT_JWT)) if reads_at_jwt else None
        has_times = codec.since > -math.inf or codec.until < math.inf
        self.fixed = None if reads_at_jwt or has_times else codec

    def encode(self, payload: Mapping[str, Any], *, now: float) -> str:
        """Sign a payload. In the profile, an access token also gets the claims of the profile.

        Raises:
            UnusableKey, TypeError, ValueError: see `Codec.encode`.
        """
        if self._at_jwt is None or not self._writes_at_jwt or payload.get("token_type") != ACCESS:
            return self.plain.at(now).encode(payload)
        user_id, client_id = payload.get(self._rules.user_id_claim), self._rules.client_id
        claims = {**payload, "sub": str(user_id), "client_id": client_id}
        return self._at_jwt.at(now).encode(claims)

    def decode(self, token: object, token_type: str | None, *, now: float) -> dict[str, Any]:
        """Check the signature of a token and the claims of its profile, and return its claims.

        Args:
            token_type: the type that the token should have; None if any type is accepted.

        Raises:
            TokenError: see `Codec.decode`.
            WrongTyp: the token is in the form of another type of token.
            InvalidClaim: a claim of the profile is missing or not valid.
        """
        if self._at_jwt is None or token_type == REFRESH:
            return self.plain.at(now).decode(token)
        if self._writes_at_jwt or now < self._rules.both_profiles_until:
            try:
                payload = self._at_jwt.at(now).decode(token)
            except WrongTyp:
                if token_type == ACCESS and not self._accepts_plain_access(now):
                    raise
            else:
                check_at_jwt(payload, payload.get(self._rules.user_id_claim))
                return payload
        payload = self.plain.at(now).decode(token)
        if payload.get("token_type") == ACCESS and not self._accepts_plain_access(now):
            raise WrongTyp("an access token without the typ of its profile")
        return payload

    def valid_until(self, token: str, *, now: float) -> float:
        """Return until when a verified token is accepted at least, in POSIX seconds."""
        if self.fixed is not None:
            return math.inf
        if self._at_jwt is None:
            return self.plain.at(now).valid_until(token)
        until = self._at_jwt.at(now).valid_until(token)
        return min(until, self._both_until) if now < self._both_until else until

    def _accepts_plain_access(self, now: float) -> bool:
        return not self._writes_at_jwt or now < self._both_until
