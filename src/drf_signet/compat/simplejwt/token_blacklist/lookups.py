"""The lookup of an OutstandingToken row by its token.

A row does not contain the client's token, so `OutstandingToken.objects.get(token=…)` compares the
row's `jti` with the `jti` of a token object, or of a string that is a token with a valid signature.
Any other string is compared with the row's own string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.expressions import Col
from django.db.models.lookups import Exact

from drf_signet.errors import InvalidClaim

from .. import state
from ..exceptions import TokenBackendError
from ..tenancy import check_tenant

if TYPE_CHECKING:
    _Exact = Exact[Any]
else:
    _Exact = Exact


class TokenExact(_Exact):
    """The lookup `token=…`, in all queries."""

    _jti: str | None = None

    def get_prep_lookup(self) -> Any:
        """Return the value to compare with. It is the `jti` if the value is a token."""
        if isinstance(self.lhs, Col):  # not a function of the column, such as `Lower`
            self._jti = _jti_of(self.rhs)
        return super().get_prep_lookup() if self._jti is None else self._jti

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the SQL of the comparison."""
        if self._jti is None:
            return super().as_sql(compiler, connection)
        column = self.lhs.target.model._meta.get_field("jti").get_col(self.lhs.alias)
        return compiler.compile(Exact(column, self._jti))


def register(field: models.Field[Any, Any]) -> None:
    """Use `TokenExact` for a field. Its class stays the same, so that there is no migration."""
    field.register_lookup(TokenExact)


def _jti_of(value: Any) -> str | None:
    """Return the `jti` of the row of a token; None if the value is not a valid token.

    The claims of a token object that was not verified, or of a string whose signature is not valid,
    may be forged, so they must not select a row.
    """
    if getattr(value, "verified", False):
        jti: str | None = getattr(value, "_row_jti", None)
        return jti
    raw_token = getattr(value, "token", value)
    if not isinstance(raw_token, str) or raw_token.count(".") != 2:
        return None
    try:
        payload = state.token_backend.read_signed(raw_token)
        check_tenant(payload)
    except (TokenBackendError, InvalidClaim):
        return None
    return str(payload.get("jti"))
