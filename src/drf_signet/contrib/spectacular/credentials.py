"""The security schemes of OpenAPI: a header or a cookie that authenticates a request."""

from __future__ import annotations

from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object

from drf_signet import runtime
from drf_signet.authentication import AccessTokenAuthentication
from drf_signet.views_browser import RefreshCookie

# Several classes of a project may read the same header. drf-spectacular would warn about that.
for _base in (AccessTokenAuthentication, RefreshCookie):
    set_override(_base, "suppress_collision_warning", True)


class AccessTokenScheme(OpenApiAuthenticationExtension):
    """The access token: in the header or, if the project has one, in the access cookie.

    A project's own extension for its subclass has the default priority 0, and comes first.
    """

    target_class = AccessTokenAuthentication
    match_subclasses = True
    priority: float = -1  # type: ignore[assignment]

    @property
    def name(self) -> list[str]:  # type: ignore[override]
        """The names of the alternatives. drf-spectacular uses the first name for the alias."""
        has_cookie = self.target.reads_cookie and runtime.current().settings.COOKIE.access_name
        return ["jwtAuth", "accessCookie"] if has_cookie else ["jwtAuth"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """Return one requirement for each alternative."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """Return the definitions of the header and of the access cookie."""
        settings = runtime.current().settings
        types = settings.AUTH_HEADER_TYPES
        prefix = "Bearer" if "bearer" in map(str.lower, types) else types[0]
        header = build_bearer_security_scheme_object(settings.AUTH_HEADER_NAME, prefix, "JWT")
        if self.target.reads_cookie:  # the alias has no description
            header.setdefault("description", f"An access token, without `{prefix}` before it.")
        return [header, _cookie(settings.COOKIE.access_name)]


class OwnAccessTokenScheme(AccessTokenScheme):
    """The extension for this package's own classes. It precedes those of drf-spectacular.

    drf-spectacular's extension for the alias warns about several AUTH_HEADER_TYPES.
    """

    priority = 0.5

    @classmethod
    def _matches(cls, target: Any) -> bool:
        return super()._matches(target) and type(target).__module__.startswith("drf_signet.")


class RefreshCookieScheme(OpenApiAuthenticationExtension):
    """The refresh cookie, for pages."""

    target_class = RefreshCookie
    match_subclasses = True
    priority = -1
    name = "refreshCookie"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return the definition of the cookie."""
        return _cookie(runtime.current().settings.COOKIE.refresh_name)


def _cookie(name: str | None) -> dict[str, Any]:
    text = "After a login, the browser stores this cookie and sends it. Scripts cannot set it."
    return {"type": "apiKey", "in": "cookie", "name": name, "description": text}
