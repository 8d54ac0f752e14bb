"""Issue many access tokens, as if each token came from a separate login."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.module_loading import import_string

from benchmarks.project.settings import STACK
from benchmarks.tasks import calls
from benchmarks.tasks.prepare import USERS
from benchmarks.wire import username


def access(count: int) -> list[str]:
    """Return new access tokens. Sign JWTs directly, and get opaque tokens from logins."""
    minters = {"signet": _signet, "simplejwt": _simplejwt}
    minter = minters.get(STACK.family)
    if minter is None:
        return [calls.logged_in(number % USERS).access for number in range(count)]
    user = get_user_model()._default_manager.get(username=username(0))
    return [minter(user) for _ in range(count)]


def _signet(user: Any) -> str:
    from drf_signet import runtime, tokens
    from drf_signet.sessions import store

    now = runtime.now()
    lifetime = runtime.current().settings.login_lifetime("token")
    session = store.draft(id=store.new_id(now), user=user, now=now, lifetime=lifetime)
    return tokens.mint_pair(session, 0, now=now, refresh=False).access


def _simplejwt(user: Any) -> str:
    token = import_string("rest_framework_simplejwt.tokens.AccessToken")()
    token["user_id"] = str(user.pk)
    token["iat"] = int(time.time())
    return str(token)
