"""Test the sources of the revocation feed: the database and the in-memory source."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

import drf_signet
from drf_signet.db.database import DbNow, committed_connection, read_committed
from drf_signet.models import EndReason, Session
from drf_signet.sessions.sources import DatabaseSource, Source
from tests.contracts.revocation_source import MemorySource, SourceContract, ids


class TestMemorySource(SourceContract):
    @pytest.fixture
    def source(self) -> MemorySource:
        return MemorySource(clock=time.time)

    @pytest.fixture
    def pages_of_three(self, source: MemorySource) -> Source:
        source.page = 3
        return source

    @pytest.fixture
    def opened(self, source: MemorySource) -> Any:
        return source.open

    @pytest.fixture
    def end(self, source: MemorySource) -> Any:
        return source.end


class TestDatabaseSource(SourceContract):
    @pytest.fixture
    def source(self, db: None) -> Source:
        return DatabaseSource()

    @pytest.fixture
    def pages_of_three(self, db: None) -> Source:
        return DatabaseSource(page=3)

    @pytest.fixture
    def opened(self, user: Any) -> Any:
        return lambda: drf_signet.issue(user).session.pk

    @pytest.fixture
    def end(self) -> Any:
        def end(session_id: uuid.UUID, *, seconds_ago: float = 0) -> None:
            at = DbNow() - timedelta(seconds=seconds_ago)
            Session.objects.filter(pk=session_id).update(
                ended_at=at, end_reason=EndReason.ENDED_BY_ADMIN
            )

        return end

    @pytest.mark.parametrize("many", [False, True], ids=["user.delete", "queryset.delete"])
    def test_the_sessions_of_a_deleted_user_are_returned(
        self, many: bool, source: Source, opened: Any, user: Any
    ) -> None:
        session_id = opened()
        type(user).objects.filter(pk=user.pk).delete() if many else user.delete()
        assert ids(source.ended_within(10)) == [session_id]
        assert source.has_ended(session_id)

    def test_each_query_takes_one_statement(
        self, source: Source, opened: Any, django_assert_num_queries: Any
    ) -> None:
        session_id = opened()
        with django_assert_num_queries(1):
            source.ended_within(10)
        with django_assert_num_queries(1):
            source.has_ended(session_id)


@pytest.mark.django_db(transaction=True)
def test_the_source_answers_inside_a_broken_transaction(user: Any) -> None:
    session = drf_signet.issue(user).session
    drf_signet.end(session)
    with transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic(savepoint=False):
            Session.objects.create(pk=session.pk, user=user)
        assert connection.needs_rollback
        assert ids(DatabaseSource().ended_within(10)) == [session.pk]
        assert DatabaseSource().has_ended(session.pk)


@pytest.mark.django_db(transaction=True)
def test_a_separate_connection_reads_only_committed_rows(user: Any) -> None:
    committed, pending = drf_signet.issue(user).session, drf_signet.issue(user).session
    drf_signet.end(committed)
    ended = Session.objects.exclude(end_reason="").values_list("id")
    with transaction.atomic():
        drf_signet.end(pending)
        in_transaction = read_committed(ended, using="default")
        transaction.set_rollback(True)
        in_own_connection = read_committed(ended, using="default")
    assert {pk for (pk,) in in_transaction} == {committed.pk, pending.pk}
    assert {pk for (pk,) in in_own_connection} == {committed.pk}


@pytest.mark.django_db(transaction=True)
def test_a_separate_connection_has_the_tenant_of_the_callers_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Packages that give each tenant a schema add the attributes in `added` to connections."""
    chosen: list[Any] = []
    added = {
        "tenant": "a",
        "include_public_schema": False,
        "set_tenant": lambda self, tenant, include_public: chosen.append((tenant, include_public)),
    }
    for name, value in added.items():
        monkeypatch.setattr(type(connections["default"]), name, value, raising=False)
    with transaction.atomic():
        transaction.set_rollback(True)
        with committed_connection("default"):
            assert chosen == [("a", False)]
