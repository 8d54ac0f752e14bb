"""Test every undocumented part of Django, REST framework and joserfc that the package uses.

Each `Fence` names one undocumented part, the modules that use the part, and the reason for using
it. Its check uses the part in the same way as the package does. If a new release of the dependency
changes the part, the check fails, and developers notice the change before users do.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.apps.registry import Apps
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import get_hasher, identify_hasher
from django.contrib.auth.models import Group
from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers.base import BaseHandler
from django.core.serializers.base import ProgressBar
from django.db import connection, connections, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.base import ModelState
from django.db.models.deletion import Collector
from django.db.models.expressions import Col
from django.db.models.sql import UpdateQuery
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.test import RequestFactory, override_settings
from django.urls import path as route
from django.utils.asyncio import async_unsafe
from joserfc import jwk
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jws import JWSRegistry
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView, exception_handler

import drf_signet
from drf_signet import Session
from drf_signet.sessions import opening, rotation

PACKAGE = Path(drf_signet.__file__).parent


@dataclass(frozen=True, kw_only=True)
class Fence:
    """An undocumented part of another package, and a check that it behaves as expected."""

    part: str
    used_in: str
    reason: str
    check: Callable[[], None]
    #: All names in this part that begin with an underscore.
    private: tuple[str, ...] = ()


def _compiled_statements_fit() -> None:
    for statement in (rotation._SESSION, rotation._ADVANCE):
        statement._known.clear()
        statement._fits = True
    key = {"id": "0" * 32, "grace": timedelta(0)}
    assert rotation._SESSION.fetch("default", **key) == []
    rotation._ADVANCE.run("default", id="0" * 32, generation=0, to=1, stamp="", new_stamp="")
    assert rotation._SESSION._fits
    assert rotation._ADVANCE._fits


def _update_query() -> None:
    query: Any = Session.objects.filter(pk="0" * 32).query.chain(UpdateQuery)
    query.add_update_values({"generation": 1})
    sql, parameters = query.get_compiler("default").as_sql()
    assert sql.startswith("UPDATE ")
    assert 1 in parameters


def _a_copied_connection() -> None:
    own = connection.copy()
    assert own is not connection
    assert own.settings_dict == connection.settings_dict
    rows = get_user_model()._default_manager.filter(pk=0).values_list("pk")
    compiler = rows.query.get_compiler(connection=connection)
    assert list(compiler.results_iter(tuple_expected=True)) == []


def _the_state_of_a_transaction() -> None:
    assert connection.in_atomic_block  # the test runs in a transaction
    assert connection.needs_rollback is False
    assert connection in connections.all(initialized_only=True)
    with suppress(LookupError), transaction.mark_for_rollback_on_error("default"):
        raise LookupError
    assert connections["default"].needs_rollback
    connection.set_rollback(False)
    transaction.on_commit(connection.check_constraints)
    assert connection.run_on_commit[-1][1] == connection.check_constraints


def _a_progress_bar() -> None:
    out = StringIO()
    ProgressBar(out, 2).update(1)
    assert out.getvalue().startswith("\r[.")


def _the_column_of_a_lookup() -> None:
    lookup: Any = Group.objects.filter(name="x").query.where.children[0]
    assert isinstance(lookup.lhs, Col)
    assert lookup.lhs.target is Group._meta.get_field("name")
    other: Any = lookup.lhs.target.model._meta.get_field("id")
    column = other.get_col(lookup.lhs.alias)
    assert (column.target, column.alias) == (other, lookup.lhs.alias)


def _field_updates_of_a_deletion() -> None:
    assert callable(Collector.add_field_update)
    user = get_user_model()._default_manager.create(username="collected")
    session = drf_signet.issue(user).session
    user.delete()  # `on_delete` of `Session.user` uses `add_field_update` and `lazy_sub_objs`
    session.refresh_from_db()
    assert (session.end_reason, session.user_id) == ("user_deleted", None)


def _querysets_that_a_deletion_updates() -> None:
    group = Group(name="collected")
    collector = Collector("default", origin=group)
    group.save()
    collector.collect([group])
    assert (dict(collector.data), collector.origin) == ({Group: {group}}, group)
    updated: list[Any] = []

    class Rows(models.QuerySet[Any]):
        def __or__(self, other: Any) -> Any:
            return self

        def update(self, **fields: Any) -> int:
            updated.append((fields, connection.in_atomic_block))
            return 0

    for _ in range(2):  # twice, as when rows are deleted in batches
        collector.add_field_update(Group._meta.get_field("name"), None, Rows(Group))
    collector.delete()
    assert updated == [({"name": None}, True)]


def _insert_select() -> None:
    rows = get_user_model()._default_manager.filter(pk=0).annotate(new_name=models.Value("x"))
    sql, parameters = rows.values_list("new_name").query.get_compiler("default").as_sql()
    assert sql.startswith("SELECT ")
    assert parameters[0] == "x"
    assert connection.ops.for_update_sql() == "FOR UPDATE"
    assert connection.ops.for_update_sql(no_key=True) == "FOR NO KEY UPDATE"
    user: Any = get_user_model()._default_manager.create(username="inserted")
    statement = opening._statement(get_user_model(), ("password", "is_active"))
    statement._known.clear()
    statement._fits = True
    drf_signet.issue(user)
    assert statement._fits
    assert statement._known.keys() == {"default"}


def _a_class_below_a_model_without_its_metaclass() -> None:
    model = get_user_model()
    before = list(apps.get_models())
    cls: Any = type.__new__(type(model), "Below", (model,), {"__module__": __name__})
    assert list(apps.get_models()) == before
    assert cls._meta is model._meta
    loads: list[Any] = []

    def refresh_from_db(self: Any, using: Any = None, fields: Any = None, **more: Any) -> None:
        loads.append(fields)
        self.__dict__["username"] = "loaded"

    cls.refresh_from_db = refresh_from_db
    user = cls.__new__(cls)
    user.__dict__.update(_state=ModelState(), id=1)
    assert user.username == "loaded"
    assert loads == [["username"]]


def _a_request_is_closed_with_its_response() -> None:
    closed: list[str] = []

    def view(request: Any) -> HttpResponse:
        request.close = lambda: closed.append("request")
        return HttpResponse()

    handler = BaseHandler()
    handler.load_middleware()
    request = RequestFactory().get("/")
    with override_settings(ROOT_URLCONF=(route("", view),)):
        response = handler.get_response(request)
    assert not closed
    response.close()
    assert closed == ["request"]


def _the_origin_rule_of_csrf() -> None:
    request = RequestFactory().post("/", headers={"origin": "http://testserver"})
    rule: Any = CsrfViewMiddleware(lambda _: None)  # type: ignore[arg-type]
    assert rule._origin_verified(request) is True
    request.META["HTTP_ORIGIN"] = "http://elsewhere"
    assert rule._origin_verified(request) is False


def _the_raw_password_of_a_user() -> None:
    user: Any = get_user_model()(username="raw")
    user.set_password("x")
    assert user._password == "x"
    user.save()
    assert user._password is None


def _hashers_by_encoded_password() -> None:
    preferred = get_hasher()
    encoded = preferred.encode("x", preferred.salt())
    assert identify_hasher(encoded).algorithm == preferred.algorithm
    assert preferred.must_update(encoded) is False


def _a_model_in_a_registry_of_its_own() -> None:
    registry = Apps()
    options = {"app_label": "fence", "apps": registry, "managed": False}
    body = {"__module__": __name__, "Meta": type("Meta", (), options)}
    made = type("Outside", (models.Model,), body)
    assert registry.get_models() == [] or made in registry.get_models()
    assert made not in apps.get_models(include_auto_created=True)


def _the_table_of_migrations() -> None:
    assert MigrationRecorder.Migration._meta.db_table == "django_migrations"


class _View(APIView):
    """View whose attribute `seen` contains the objects that `_Authenticator` has received."""

    seen: tuple[Any, ...] = ()
    during = True
    authentication_classes = ()

    def get(self, request: Any) -> Any:
        _View.during = "response" in vars(self)
        return HttpResponse() if "plain" in request.query_params else Response()


class _Authenticator(BaseAuthentication):
    def authenticate(self, request: Any) -> None:
        _View.seen = (request, request._request, request.accepted_renderer)


def _ask_view(url: str) -> tuple[Any, Any]:
    """Send a request to the view; return the Django request and the response."""
    request = APIRequestFactory().get(url)
    view: Any = type("V", (_View,), {"authentication_classes": (_Authenticator,)})
    return request, view.as_view()(request)


def _what_an_authenticator_sees() -> None:
    request, _ = _ask_view("/")
    _, plain, renderer = _View.seen
    assert plain is request
    assert renderer.media_type == "application/json"


def _what_a_finished_response_contains() -> None:
    for url in ("/", "/?plain"):
        _, answer = _ask_view(url)
        request, *_ = _View.seen
        view = request.parser_context["view"]
        assert _View.during is False
        assert vars(view)["response"] is answer
        assert vars(view)["headers"]
        assert all(answer.headers[name] is value for name, value in view.headers.items())
        if url == "/":
            assert answer.renderer_context["request"] is request
    assert "renderer_context" not in vars(Response())


def _the_parameters_of_a_content_type() -> None:
    view = APIView()
    plain = APIRequestFactory().post("/", data="{}", content_type="text/x; charset=latin-1")
    assert view.initialize_request(plain).content_params == {"charset": "latin-1"}


def _headers_of_an_exception() -> None:
    error: Any = AuthenticationFailed()
    error.auth_header, error.wait = "Bearer", 7
    answer = exception_handler(error, {})
    assert answer is not None
    assert (answer["WWW-Authenticate"], answer["Retry-After"]) == ("Bearer", "7")


def _algorithms_by_name() -> None:
    algorithm = JWSRegistry.algorithms["HS256"]
    key = jwk.JWKRegistry.import_key(b"k" * 32, "oct")
    algorithm.check_key(key)
    signature = algorithm.sign(b"input", key)
    assert algorithm.verify(b"input", signature, key) is True
    assert algorithm.verify(b"other", signature, key) is False
    assert issubclass(SecurityWarning, Warning)


def _what_a_key_is_made_of() -> None:
    secret = jwk.import_key({"kty": "oct", "k": "a2tra2tra2tra2tra2s", "key_ops": ["verify"]})
    assert secret.raw_value == b"kkkkkkkkkkkkkk"
    with pytest.raises(JoseError):
        secret.check_key_op("sign")
    assert jwk.RSAKey.generate_key(2048).raw_value.key_size == 2048
    assert jwk.OKPKey.generate_key("Ed25519").curve_name == "Ed25519"


async def _a_function_that_refuses_an_event_loop() -> None:
    @async_unsafe("not here")
    def ask() -> None: ...

    with pytest.raises(SynchronousOnlyOperation, match="not here"):
        ask()


FENCES = [
    Fence(
        part="django: ProgressBar of django.core.serializers.base",
        used_in="management/commands/signet_clear_expired.py",
        reason="Deleting many rows shows how far it is, as `loaddata` does.",
        check=_a_progress_bar,
    ),
    Fence(
        part="django: Col, Lookup.lhs.target, Lookup.lhs.alias, Field.get_col",
        used_in="compat/simplejwt/token_blacklist/lookups.py",
        reason="The row of a login is found by its token, although it contains another string.",
        check=_the_column_of_a_lookup,
    ),
    Fence(
        part="django: SQLCompiler.as_sql, Query.get_compiler, ModelIterable",
        used_in="db/compiled.py",
        reason="A refresh runs its SELECT with SQL that was compiled before.",
        check=_compiled_statements_fit,
    ),
    Fence(
        part="django: Query.chain, UpdateQuery.add_update_values",
        used_in="db/compiled.py",
        reason="A refresh runs its UPDATE with SQL that was compiled before.",
        check=_update_query,
    ),
    Fence(
        part="django: BaseDatabaseWrapper.copy, SQLCompiler.results_iter",
        used_in="db/database.py",
        reason="The feed reads past the caller's transaction over another connection.",
        check=_a_copied_connection,
    ),
    Fence(
        part="django: in_atomic_block, needs_rollback, run_on_commit, mark_for_rollback_on_error, "
        "connections.all",
        used_in="db/database.py, db/compiled.py",
        reason="Inside a transaction nothing is retried, and the end of a session survives a 401.",
        check=_the_state_of_a_transaction,
    ),
    Fence(
        part="django: Collector.add_field_update, lazy_sub_objs of an on_delete",
        used_in="models.py",
        reason="Deleting users ends their sessions in a constant number of statements.",
        check=_field_updates_of_a_deletion,
    ),
    Fence(
        part="django: Collector.data and origin, QuerySet.__or__ and update during a deletion",
        used_in="db/collector.py",
        reason="A deletion locks all its users with one statement before their sessions end.",
        check=_querysets_that_a_deletion_updates,
    ),
    Fence(
        part="django: DatabaseOperations.for_update_sql, annotations in SQLCompiler.as_sql",
        used_in="db/compiled.py",
        reason="A login writes its session and compares the user in one statement with a lock.",
        check=_insert_select,
    ),
    Fence(
        part="django: DeferredAttribute, ModelState, a model class without ModelBase",
        used_in="users/lazyuser.py",
        reason="`request.user` has the right class before its row is loaded.",
        check=_a_class_below_a_model_without_its_metaclass,
    ),
    Fence(
        part="django: CsrfViewMiddleware._origin_verified",
        used_in="transports/csrf.py",
        reason="Django's own rule decides which origins are trusted.",
        check=_the_origin_rule_of_csrf,
        private=("_origin_verified",),
    ),
    Fence(
        part="django: HttpRequest.close is called when the response is closed",
        used_in="users/own_session.py",
        reason="A session that its own request does not keep ends after the response.",
        check=_a_request_is_closed_with_its_response,
    ),
    Fence(
        part="django: AbstractBaseUser._password",
        used_in="users/changes.py",
        reason="A new hash of the same password must not end sessions.",
        check=_the_raw_password_of_a_user,
        private=("_password",),
    ),
    Fence(
        part="django: get_hasher, identify_hasher, must_update",
        used_in="users/changes.py",
        reason="As above: whether Django replaces a stored hash at the next login.",
        check=_hashers_by_encoded_password,
    ),
    Fence(
        part="django: Apps, Meta.apps",
        used_in="compat/simplejwt/blacklist.py",
        reason="simplejwt's tables are read without its app.",
        check=_a_model_in_a_registry_of_its_own,
    ),
    Fence(
        part="django: MigrationRecorder.Migration",
        used_in="checks/databases.py",
        reason="No warning about a missing table before the first migration.",
        check=_the_table_of_migrations,
    ),
    Fence(
        part="django: async_unsafe",
        used_in="contrib/django_tenants.py",
        reason="A connection belongs to a thread, so the event loop's has no tenant.",
        check=async_to_sync(_a_function_that_refuses_an_event_loop),
    ),
    Fence(
        part="rest_framework: Request._request, accepted_renderer",
        used_in="authentication.py, views.py, views_browser.py",
        reason="Plain requests reach the flows; pages load their user.",
        check=_what_an_authenticator_sees,
        private=("_request",),
    ),
    Fence(
        part="rest_framework: parser_context, and what finalize_response puts into a response",
        used_in="authentication.py",
        reason="After the view, a user who was deleted or is inactive is anonymous.",
        check=_what_a_finished_response_contains,
    ),
    Fence(
        part="rest_framework: Request.content_params",
        used_in="views.py",
        reason="Bodies in an unknown charset are refused unread.",
        check=_the_parameters_of_a_content_type,
    ),
    Fence(
        part="rest_framework: auth_header and wait of an exception",
        used_in="problems.py, middleware.py",
        reason="Challenges and Retry-After reach the answer through DRF's exception handler.",
        check=_headers_of_an_exception,
    ),
    Fence(
        part="joserfc: JWSRegistry.algorithms, sign, verify, check_key, JWKRegistry.import_key",
        used_in="jose/loading.py",
        reason="A token that this package has parsed already is verified without a second parser.",
        check=_algorithms_by_name,
    ),
    Fence(
        part="joserfc: Key.raw_value, check_key_op, curve_name",
        used_in="jose/loading.py",
        reason="The strength and the purpose of a key are checked when it is loaded.",
        check=_what_a_key_is_made_of,
    ),
]

#: Names that begin with an underscore, although Django or drf-spectacular documents them.
DOCUMENTED = {"_meta", "_base_manager", "_default_manager", "_state"} | {
    "_map_serializer",
    "_map_serializer_field",
}


@pytest.mark.django_db
@pytest.mark.parametrize("fence", FENCES, ids=lambda fence: fence.part)
def test_undocumented_part_behaves_as_the_package_needs(fence: Fence) -> None:
    fence.check()


@pytest.mark.parametrize("fence", FENCES, ids=lambda fence: fence.part)
def test_fence_names_the_modules_that_use_the_part(fence: Fence) -> None:
    for module in fence.used_in.split(", "):
        assert (PACKAGE / module).is_file()


def _sources() -> Iterator[ast.AST]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def _own_names() -> Iterator[str]:
    for node in _sources():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
    yield from ("_originals", "_values", "_known")  # the package's own names that the loop may miss


def test_every_private_name_of_another_package_is_fenced() -> None:
    used = {node.attr for node in _sources() if isinstance(node, ast.Attribute)}
    private = {name for name in used if name.startswith("_") and not name.startswith("__")}
    fenced = {name for fence in FENCES for name in fence.private}
    assert private - set(_own_names()) <= fenced | DOCUMENTED
    assert fenced <= used | {"_password"}  # the package reads `_password` as a key of `__dict__`


REFRESH_ON_ANOTHER_DJANGO = """
import django
from datetime import timedelta
from django.conf import settings
from django.core.management import call_command
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "drf_signet"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    SECRET_KEY="k" * 64, USE_TZ=True, ALLOWED_HOSTS=["*"], ROOT_URLCONF="drf_signet.urls",
    REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
    SIGNET={"ROTATE_REFRESH_TOKENS": True, "ROTATION_GRACE_PERIOD": timedelta(0)},
)
django.setup()
from django.db.models.sql import compiler
def changed(render):
    def as_sql(self, *args, **kwargs):
        sql, parameters = render(self, *args, **kwargs)
        assert not any(hasattr(one, "output_field") for one in parameters), "not a value"
        return sql, parameters
    return as_sql
for one in (compiler.SQLCompiler, compiler.SQLUpdateCompiler):
    one.as_sql = changed(one.as_sql)
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from rest_framework.test import APIClient
User.objects.create_user("vitor", password="123")
client = APIClient()
token = client.post("/", {"username": "vitor", "password": "123"}).json()["refresh"]
for _ in range(3):
    first, token = token, client.post("/refresh/", {"refresh": token}).json()["refresh"]
print(client.post("/refresh/", {"refresh": first}).json()["reason"])
print(client.post("/refresh/", {"refresh": token}).status_code)
"""


def test_refresh_works_and_logs_once_where_djangos_compiler_has_changed() -> None:
    code = textwrap.dedent(REFRESH_ON_ANOTHER_DJANGO)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=PACKAGE.parent,
    )
    assert done.stdout.split() == ["reused", "401"], done.stderr
    assert done.stderr.count("a statement runs uncompiled on this release of Django") == 3


def test_joserfc_has_an_upper_bound_and_django_has_none() -> None:
    required = importlib.metadata.requires("drf-signet") or []
    bounds = {re.split(r"\W", one)[0].lower(): one for one in required}
    assert "<" in bounds["joserfc"]
    assert "<" not in bounds["django"]
