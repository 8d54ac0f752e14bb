"""The sources from which the revocation feed reads ended sessions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..db.database import committed_connection, read_committed
from ..models import Session, sessions_for_write, write_database
from .ended import unpack

#: Maximum number of sessions on a page.
PAGE = 10_000


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of ended sessions.

    Args:
        ids: the concatenated ids of the sessions, 16 bytes each.
        now: the time of the source's clock when the page was read, in POSIX seconds.
        covers: this page and the pages before it contain every session that ended in the last
            `covers` seconds and matches the query.
        following: the argument of `Source.page_after` for the next page; None on the last page.
    """

    ids: bytes = field(repr=False)
    now: float
    covers: float = float("inf")
    following: Any = None

    def each(self) -> Iterator[int]:
        """Return an iterator over the ids of the sessions, as ints."""
        return unpack(self.ids)


class Source(Protocol):
    """A source of ended sessions: the database, or another store that processes share."""

    def ended_within(self, seconds: float) -> Page:
        """Return the first page of the sessions that ended in the last `seconds` seconds.

        The session that ended last comes first. The source uses its own clock, and also returns
        sessions whose `ended_at` is in the future. It must read the rows that are committed
        now, never an older snapshot.
        """

    def page_after(self, following: Any) -> Page:
        """Return the next page; see `Page.following`."""

    def has_ended(self, session_id: uuid.UUID) -> bool:
        """Return whether a session has ended or does not exist."""


#: Database vendor → a SELECT that always returns one row: the current time, the beginning of the
#: period, the earliest `ended_at` on the page (in seconds, and as stored), and the ids. Returning
#: all ids as one value takes a tenth of the processor time of returning one row for each id.
_PAGE = {
    "postgresql": """
        SELECT extract(epoch FROM statement_timestamp())::float8, ({since})::text,
            extract(epoch FROM min(ended_at))::float8, min(ended_at)::text,
            string_agg(uuid_send(id), ''::bytea ORDER BY ended_at DESC, id DESC)
        FROM ({rows}) AS page""",
    "sqlite": """
        SELECT (julianday('now') - 2440587.5) * 86400.0, {since},
            (julianday(min(ended_at)) - 2440587.5) * 86400.0, min(ended_at), group_concat(id, '')
        FROM ({rows}) AS page""",
    "mysql": """
        {longer} timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6)) / 1e6, {since},
            timestampdiff(MICROSECOND, '1970-01-01', min(ended_at)) / 1e6, min(ended_at),
            group_concat(replace(id, '-', '') ORDER BY ended_at DESC, id DESC SEPARATOR '')
        FROM ({rows}) AS page""",
}
_ROWS = """
    SELECT ended_at, id FROM {table} WHERE {where}
    ORDER BY ended_at DESC, id DESC LIMIT {page}"""
#: Database vendor → the SQL expression for the beginning of the period. The parameter is the length
#: of the period in seconds.
_SINCE = {
    "postgresql": "statement_timestamp() - make_interval(secs => %s)",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', -%s || ' seconds')",
    "mysql": "timestampadd(MICROSECOND, -1000000 * %s, utc_timestamp(6))",
}
#: Database vendor → the condition for the rows that come after a page. The parameters are the
#: `ended_at` and the id of the last row of the page.
_FOLLOWS = {
    "postgresql": "(ended_at, id) < (%s::timestamptz, %s)",
    "sqlite": "(ended_at, id) < (%s, %s)",
    # MySQL and MariaDB do not use the index for comparisons of row constructors.
    "mysql": "ended_at <= %s AND (ended_at < %s OR id < %s)",
}
#: Database vendor → the placeholder for a time that was read with the previous page. On PostgreSQL,
#: the time is a string, because a datetime without a time zone would be ambiguous when daylight
#: saving time ends.
_STORED = {"postgresql": "%s::timestamptz", "sqlite": "%s", "mysql": "%s"}
#: The beginning of a SELECT that increases the maximum length of the result of `group_concat`.
#: Otherwise, the database truncates the result.
_MARIADB = "SET STATEMENT group_concat_max_len = {length} FOR SELECT"
_MYSQL = "SELECT /*+ SET_VAR(group_concat_max_len = {length}) */"


@dataclass(frozen=True, kw_only=True)
class _Position:
    """The last row of a page, and `since`, the beginning of the period that is read.

    The times are kept as the database returned them.
    """

    since: Any
    ended_at: Any
    session_id: uuid.UUID


@dataclass(frozen=True, kw_only=True)
class DatabaseSource:
    """A source that reads the database to which sessions are written.

    Args:
        page: maximum number of sessions on a page.
    """

    page: int = PAGE

    def ended_within(self, seconds: float) -> Page:
        """Run one SELECT that reads only the index of ended sessions."""
        return self._read(seconds, None)

    def page_after(self, following: _Position) -> Page:
        """Run one SELECT that reads only the index of ended sessions."""
        return self._read(0, following)

    def has_ended(self, session_id: uuid.UUID) -> bool:
        """Run one SELECT by primary key."""
        using = write_database()
        alive = sessions_for_write().filter(pk=session_id, end_reason="")
        return not read_committed(alive.values_list("id"), using=using)

    def _read(self, seconds: float, position: _Position | None) -> Page:
        with committed_connection(write_database()) as connection:
            sql, parameters = self._statement(connection, seconds, position)
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                now, since, oldest, ended_at, found = cursor.fetchone()
        ids = bytes.fromhex(found) if isinstance(found, str) else bytes(found or b"")
        if len(ids) < 16 * self.page:
            return Page(ids=ids, now=float(now))
        last = uuid.UUID(bytes=ids[-16:])
        following = _Position(since=since, ended_at=ended_at, session_id=last)
        covers = float(now) - float(oldest)
        return Page(ids=ids, now=float(now), covers=covers, following=following)

    def _statement(
        self, connection: Any, seconds: float, position: _Position | None
    ) -> tuple[str, list[Any]]:
        vendor = connection.vendor
        if position is None:
            since, where = _SINCE[vendor], f"ended_at > {_SINCE[vendor]}"
            parameters: list[Any] = [seconds, seconds]
        else:
            since, where = "%s", f"ended_at > {_STORED[vendor]} AND {_FOLLOWS[vendor]}"
            last = Session._meta.pk.get_db_prep_value(position.session_id, connection)
            times = [position.ended_at] * (_FOLLOWS[vendor].count("%s") - 1)
            parameters = [position.since, position.since, *times, last]
        table = connection.ops.quote_name(Session._meta.db_table)
        rows = _ROWS.format(table=table, where=where, page=self.page)
        longer = _MARIADB if getattr(connection, "mysql_is_mariadb", False) else _MYSQL
        longer = longer.format(length=36 * self.page)
        return _PAGE[vendor].format(rows=rows, since=since, longer=longer), parameters
