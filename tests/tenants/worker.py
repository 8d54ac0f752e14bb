"""A process that runs a project with django-tenants: `python -m tests.tenants.worker`.

See `tests.support.peer_process` for how a test sends commands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import StringIO
from types import SimpleNamespace
from typing import Any

from tests.support.peer_process import run_commands

PASSWORD = "correct horse"


class Commands:
    """The commands that this process can run."""

    def create(self, count: int) -> list[str]:
        """Create a schema for each tenant, with a user whose primary key is 1; return the names."""
        from django.core.management import call_command
        from django.db import connection, transaction

        from tests.tenants.customers.models import Customer, Domain

        with connection.schema_editor() as editor:
            editor.create_model(Customer)
            editor.create_model(Domain)
        call_command("migrate_schemas", shared=True, verbosity=0)
        with transaction.atomic():  # as in the admin, or with ATOMIC_REQUESTS
            Customer(schema_name="base", name="base").save(verbosity=0)
        names = ["public", *(f"t{number}" for number in range(count))]
        for name in names:
            customer = Customer(schema_name=name, name=name)
            customer.save(verbosity=0)
            Domain.objects.create(domain=f"{name}.example.com", tenant=customer)
            self._create_user(name)
        call_command("check", stdout=sys.stderr)
        return names

    def _create_user(self, schema: str) -> None:
        from django.contrib.auth import get_user_model
        from django_tenants.utils import schema_context

        with schema_context(schema):
            user = get_user_model().objects.create_user("alice", f"alice@{schema}", PASSWORD)
            assert user.pk == 1

    def migration_report(self, schema: str, without: list[str]) -> str:
        """Run `signet_migrate_from_simplejwt --dry-run` in a schema that lacks some tables."""
        from django.core.management import call_command
        from django.db import connection, transaction
        from django_tenants.utils import schema_context

        out = StringIO()
        with schema_context(schema), transaction.atomic():
            with connection.cursor() as cursor:
                for table in without:
                    cursor.execute(f"DROP TABLE {table} CASCADE")
            call_command("signet_migrate_from_simplejwt", "--dry-run", stdout=out, no_color=True)
            transaction.set_rollback(True)
        return out.getvalue()

    def log_in(self, tenant: str, url: str) -> dict[str, str]:
        """Log in at the host of a tenant; return the new tokens and the id of the session."""
        from drf_signet import runtime
        from tests.support.tenant_hosts import Browser

        body = {"username": "alice", "password": PASSWORD}
        pair: dict[str, str] = Browser(tenant).send("post", url, body).json()
        sid = runtime.current().codec.decode(pair["access"])["sid"]
        return {**pair, "sid": sid}

    def ways(self) -> list[str]:
        """Return the names of the ways to send a token."""
        return list(_ways())

    def send(self, way: str, tenant: str, issued: dict[str, str]) -> tuple[int, str, int]:
        """Send a token to a tenant's host; return the status, the body and the statement count.

        The query of django-tenants' middleware and the `SET search_path` statements of its database
        backend are not counted.
        """
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        from tests.support.tenant_hosts import Browser

        with CaptureQueriesContext(connection) as queries:
            answer = _ways()[way](Browser(tenant), _pair(issued))
        statements = [q["sql"] for q in queries if "customers_" not in q["sql"]]
        body = "" if answer.status_code == 204 else answer.content.decode()
        return answer.status_code, body, sum("search_path" not in sql for sql in statements)

    def polls(self, way: str, tenant: str, issued: dict[str, str], count: int) -> int:
        """Send a token `count` times, and return how many times the feed polled the database."""
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        from tests.support.tenant_hosts import Browser

        with CaptureQueriesContext(connection) as queries:
            for _ in range(count):
                _ways()[way](Browser(tenant), _pair(issued))
        return sum("ended_at >" in query["sql"] for query in queries)

    def end(self, tenant: str, sid: str) -> bool:
        """End a session by its id, in the schema of a tenant."""
        from django_tenants.utils import schema_context

        import drf_signet

        with schema_context(tenant):
            return drf_signet.end(sid)

    def alive(self, tenant: str) -> int:
        """Return how many sessions of a tenant have not ended."""
        from django_tenants.utils import schema_context

        from drf_signet.models import Session

        with schema_context(tenant):
            return Session.objects.filter(end_reason="").count()

    def cross(self, tokens: dict[str, dict[str, str]], pairs: list[tuple[str, str]]) -> list[str]:
        """Send a token for each of `pairs`; return a description of each wrong response.

        Args:
            tokens: the name of a tenant → the tokens that were issued for this tenant.
            pairs: in each pair, the token of the first tenant is sent to the host of the second.
        """
        from tests.support.tenant_hosts import Browser

        ways = list(_ways().items())
        wrong = []
        for number, (owner, tenant) in enumerate(pairs):
            name, send = ways[number % len(ways)] if owner != tenant else ways[0]
            answer = send(Browser(tenant), _pair(tokens[owner]))
            if owner != tenant and answer.status_code != 401:
                wrong.append(f"{owner} at {tenant} by {name}: {answer.status_code}")
            if owner == tenant and f"alice@{owner}" not in answer.content.decode():
                wrong.append(f"{owner} by {name}: {answer.status_code} {answer.content!r}")
        return wrong

    def read_beside_transaction(self, tenant: str, ended: dict[str, str]) -> bool:
        """Return whether a poll in a broken transaction finds an ended session of this tenant."""
        import uuid

        from django.db import connection, transaction
        from django_tenants.utils import schema_context

        from drf_signet.db.database import committed_connection
        from drf_signet.sessions.sources import DatabaseSource

        with schema_context(tenant), transaction.atomic():
            connection.set_rollback(True)  # in a broken transaction, polls use another connection
            with committed_connection("default") as separate:
                assert separate is not connection
                assert separate.schema_name == tenant
            page = DatabaseSource().ended_within(60)
            connection.set_rollback(False)
        return uuid.UUID(ended["sid"]).int in set(page.each())


def _pair(issued: dict[str, str]) -> Any:
    return SimpleNamespace(**issued, session=SimpleNamespace(pk=issued["sid"]))


def _ways() -> dict[str, Callable[[Any, Any], Any]]:
    from tests.support.tenant_hosts import TOKEN_WAYS, protected

    def alias(name: str, field: str, token: str) -> Callable[[Any, Any], Any]:
        return lambda browser, pair: browser.send(
            "post", f"/alias/token/{name}/", {field: getattr(pair, token)}
        )

    return {
        **TOKEN_WAYS,
        "alias: view": protected("/alias/hello/"),
        "alias: stateless view": protected("/alias/stateless/"),
        "alias: refresh": alias("refresh", "refresh", "refresh"),
        "alias: verification of an access token": alias("verify", "token", "access"),
        "alias: verification of a refresh token": alias("verify", "token", "refresh"),
        "alias: blacklist": alias("blacklist", "refresh", "refresh"),
    }


def main() -> None:
    """Read commands from standard input, run them, and print their results."""
    import django

    django.setup()
    run_commands(Commands())


if __name__ == "__main__":
    main()
