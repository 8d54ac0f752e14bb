"""What tokens can that have a session behind them: begin it, end it, be renewed by it."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.contrib.auth import get_user_model
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from drf_signet import adoption, runtime, sessions
from drf_signet.claims import REFRESH
from drf_signet.models import Session

from . import logins, state, tables, wire
from .exceptions import TokenBackendError, TokenError
from .logins import Login
from .settings import api_settings
from .utils import aware_utcnow, datetime_from_epoch, datetime_to_epoch, make_utc

if TYPE_CHECKING:
    from .tokens import Token as _Base
else:
    _Base = object


class SessionMixin(_Base):
    """A token with a session: drafted by `for_user`, written when the token is first signed."""

    #: The claim that says until when the session is needed.
    _last_claim: Any = "exp"

    def _read(self, token: str | bytes, verify: bool) -> None:
        super()._read(token, verify)
        if self.verified and self.get_token_backend() is state.token_backend:
            self._login = Login.of(self.as_ours)

    @property
    def as_ours(self) -> dict[str, Any]:
        """The claims, with the type by which this package itself knows such a token."""
        return self.payload

    def _log_in(self, user: Any) -> None:
        if not isinstance(user, get_user_model()):
            _demand_user(user)
            return  # a user without a row: looked up by the claim once the token is signed
        self._login = Login.new(user, self._new_session_id())
        self._tie(self._login.session)

    def _tie(self, session: Any) -> None:
        """Write the session's claims over the token's own, those of the hook under them."""
        current = runtime.current()
        hook = current.settings.CLAIMS
        own = dict(hook(session.user, session)) if hook else {}
        if taken := current.rules.reserved.intersection(own):
            raise ValueError(f"reserved claims cannot be set: {', '.join(sorted(taken))}")
        self.payload |= own
        self.payload["sid"] = str(session.pk)
        self.payload["auth_time"] = int(session.auth_time.timestamp())

    def _new_session_id(self) -> uuid.UUID:
        return sessions.new_id(runtime.now())

    def _identify(self) -> None:
        """Begin the session of a new token to which the user claim was added by hand.

        As ever, only `for_user` makes a row in the tables for it.
        """
        if self.token is None and self._login is None:
            user = wire.user_named_in(self.payload)
            if user is not None:
                SessionMixin._log_in(self, user)

    def __str__(self) -> str:
        self._identify()
        if self.verified and self._login is not None:
            self._write(self._login)
        return super().__str__()

    def _until(self) -> float:
        until = self.payload.get(self._last_claim, 0)
        return float(datetime_to_epoch(until) if isinstance(until, datetime) else until)

    def _write(self, login: Login) -> None:
        login.write(until=self._until())
        if "sid" not in self.payload:  # a token of old, which has become a session now
            self.payload["sid"] = str(login.session_id)
            self.payload.setdefault("iat", datetime_to_epoch(self.current_time))


class BlacklistMixin(SessionMixin):
    """A token that a client keeps: it can end its session, and has a row in the tables of old."""

    #: Whether reading the text asks for the session; the refresh itself asks later.
    _asks = True

    def __class_getitem__(cls, token_class: object) -> type[Self]:
        """Return the class itself: it was generic, and is named so where it is subclassed."""
        return cls

    @classmethod
    def unasked(cls, token: str | bytes) -> Self:
        """Read and verify a text, but for what the database knows."""
        found = cls.__new__(cls)
        found._asks = False
        found.__init__(token)  # type: ignore[misc]  # as the call of the class would
        return found

    def set_jti(self) -> None:
        """Give the token another id. The first one is the session's, too."""
        self.payload["jti"] = sessions.new_id(runtime.now()).hex

    def _new_session_id(self) -> uuid.UUID:
        found = tables.as_session_id(self.payload.get("jti"))
        return found or sessions.new_id(runtime.now())

    def _log_in(self, user: Any) -> None:
        super()._log_in(user)
        if self._login is not None:
            self._login.opened = self._outstand

    def _check_session(self) -> None:
        self.check_blacklist()

    def check_blacklist(self) -> None:
        """Ask the database whether the token would be taken now.

        Raises:
            TokenError: its session is over, or a later token has taken its place.
        """
        if self._asks:
            logins.check_refreshable(self.as_ours)

    def blacklist(self) -> tuple[Any, bool]:
        """End the session, and with it every token of it; safe to repeat.

        Returns:
            The entry in the table, and whether it is new; (None, False) without the app.

        Raises:
            TokenError: the token is not signed by a key of ours.
        """
        self._demand_signature()
        if self._login is not None:
            self._login.end()
        self._outstand()
        return tables.list_as_ended(self._row_id)

    def outstand(self) -> tuple[Any, bool] | None:
        """Return the login's row, and whether it was made now; None without the app.

        Writes the session, if it is not written yet.

        Raises:
            TokenError: the token is not signed by a key of ours.
        """
        self._demand_signature()
        self._identify()
        if self._login is not None:
            super()._write(self._login)
        return self._outstand()

    @property
    def _row_id(self) -> str:
        jti = str(self.payload.get("jti"))
        if self._login is None or adoption.session_id_of(jti) == self._login.session_id:
            return jti
        return self._login.session_id.hex

    def _outstand(self) -> tuple[Any, bool] | None:
        """Return the row of the tables, made if need be."""
        if not tables.installed():
            return None
        session = self._login.session if self._login else None
        user = session.user if session else wire.user_named_in(self.payload)
        return tables.outstand(
            self._row_id,
            user=user,
            token=self._handle(),
            created_at=make_utc(self.current_time),
            expires_at=datetime_from_epoch(self._until()),
        )

    def _handle(self) -> str:
        """Return a text by which the session can be ended, and nothing else: it has no `gen`."""
        payload = {name: value for name, value in self.payload.items() if name != "gen"}
        return self.get_token_backend().encode(wire.in_order(payload | {"token_type": REFRESH}))

    def _demand_signature(self) -> None:
        if self.verified:
            return
        try:
            payload = self.get_token_backend().read_signed(wire.text(self.token))
        except TokenBackendError as error:
            raise TokenError(_("Token is invalid")) from error
        # From here on only what is signed counts, and not what was assigned since.
        self.payload = payload
        self._login = Login.of(self.as_ours)


class RefreshMixin(BlacklistMixin):
    """A token from which access tokens are made, and its own successors."""

    #: Claims that the access token does not take over.
    no_copy_claims: ClassVar[Any] = ("token_type", "exp", "jti", "iat", "gen")
    access_token_class: ClassVar[Any] = None
    #: Whether an access token was made from it: then to blacklist it may be a rotation by hand.
    _passed_on = False

    @property
    def as_ours(self) -> dict[str, Any]:
        """The claims, as those of a refresh token."""
        return self.payload | {"token_type": REFRESH}

    def _tie(self, session: Any) -> None:
        super()._tie(session)
        self.payload["gen"] = session.generation

    def _write(self, login: Login) -> None:
        super()._write(login)
        self.payload.setdefault("gen", 0)

    @property
    def access_token(self) -> Any:
        """A new access token of the same session, with the same claims of the project's own.

        Raises:
            TokenError: this token was not verified, or can only end its session.
        """
        self._identify()
        if not self.verified or ("sid" in self.payload and "gen" not in self.payload):
            raise TokenError(_("Token is invalid"))
        access = self.access_token_class()
        access.set_exp(from_time=self.current_time)
        kept = {n: v for n, v in self.payload.items() if n not in (*self.no_copy_claims, "gen")}
        access.payload |= kept
        if self._login is not None:
            access._login, access.payload["sid"] = self._login, str(self._login.session_id)
        self._passed_on = True
        return access

    def blacklist(self) -> tuple[Any, bool]:
        """End the session, and with it every token of it; safe to repeat.

        After `access_token`, in a project that rotates and blacklists, it is a rotation by hand:
        the token alone is used up, so that the access token goes on and this object, signed again,
        is the successor.
        """
        if self._passed_on and logins.rotates() and self.token is not None and self.verified:
            self.payload["gen"] = logins.advance(self.as_ours)
            self.payload["sid"] = str(self.session_id)
            return None, True
        return super().blacklist()

    def renewed(self, session: Session, generation: int) -> Self:
        """Return this token for a generation of its session: new times, the same own claims."""
        token = copy.copy(self)
        token.current_time = aware_utcnow()
        end = session.expires_at.timestamp()
        token.payload = _without(self.payload, api_settings.REVOKE_TOKEN_CLAIM)
        token._login = Login(session.pk, end=end)
        token._tie(session)
        token.set_iat()
        token.set_exp()
        token.payload["exp"] = min(token.payload["exp"], int(end))
        token.payload |= {"gen": generation, "jti": token._row_id}
        return token


def _demand_user(user: Any) -> None:
    """Refuse a row of another model: its key may be that of a user, to whom it would be taken."""
    model = user._meta.concrete_model if isinstance(user, Model) else None
    if model is not None and not issubclass(get_user_model(), model):
        raise TypeError(f"a session is of a {get_user_model().__name__}, not of {user!r}")


def _without(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if key != name}
