"""Walk through docs/howto/keys.md: after each step, nobody is logged out who should not be."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings as django_settings
from django.core.checks import run_checks

from drf_signet import runtime, tokens
from drf_signet.checks import configuration
from drf_signet.errors import TokenError, UnknownKey
from drf_signet.jose.claims import ACCESS, REFRESH
from drf_signet.sessions import lifetimes, store
from drf_signet.tokens import TokenPair
from tests.docs.pages import DOCS, blocks, table
from tests.support.token_forge import signer

PAGE = DOCS / "howto/keys.md"
#: Settings of the page, in order: the names of the tests below.
STEPS = (
    "ring beside SECRET_KEY",
    "ring alone",
    "next key",
    "leaked key removed",
    "SECRET_KEY beside the ring",
    "SECRET_KEY alone",
    "both profiles",
    "new profile",
)
MAY, NOVEMBER = (datetime(2026, month, 1, 12, tzinfo=UTC) for month in (5, 11))
DAY = timedelta(days=1)

Issue = Callable[[datetime], TokenPair]


@pytest.fixture
def use(settings: Any, tmp_path: Path) -> Callable[[str], None]:
    """Return a function that applies the settings of a step."""
    (tmp_path / "keys").mkdir()
    for name in ("2026-11", "2026-05"):
        pem = Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        (tmp_path / "keys" / f"{name}.pem").write_bytes(pem)
    texts = [b.text for b in blocks(PAGE) if b.file is not None]
    by_step = dict(zip(STEPS, texts, strict=True))

    def apply(step: str) -> None:
        names = {"BASE_DIR": tmp_path, "SECRET_KEY": django_settings.SECRET_KEY}
        exec(by_step[step], names)
        settings.SIGNET = names["SIGNET"]

    return apply


@pytest.fixture
def issue(user: Any) -> Issue:
    """Return a function that issues the tokens of a login at a time."""

    def at(moment: datetime) -> TokenPair:
        now = moment.timestamp()
        session = store.draft(id=store.new_id(now), user=user, now=now, lifetime=30 * DAY)
        session.auth_time = moment
        return tokens.mint_pair(session, 0, now=now)

    return at


def accepted(token: str | None, at: datetime, token_type: str = REFRESH) -> bool:
    try:
        tokens.verify(token, token_type, now=at.timestamp())
    except TokenError:
        return False
    return True


def kid_at(moment: datetime) -> str | None:
    codec = runtime.current().keys.profiles.plain.at(moment.timestamp())
    assert codec._signing
    return codec._signing.kid


@pytest.mark.django_db
class TestSteps:
    def test_ring_beside_secret_key_signs_from_not_before_and_logs_nobody_out(
        self, use: Callable[[str], None], issue: Issue
    ) -> None:
        former = issue(MAY - timedelta(hours=1))
        use("ring beside SECRET_KEY")
        assert kid_at(MAY - timedelta(seconds=1)) is None
        assert kid_at(MAY) == "2026-05"
        during = issue(MAY - timedelta(seconds=1))
        later = issue(MAY)
        at = MAY + timedelta(minutes=1)
        for pair in (former, during, later):
            assert accepted(pair.refresh, at)
        # Processes with the former settings accept what is signed until `not_before`.
        use("SECRET_KEY alone")
        assert accepted(during.refresh, MAY)
        use("ring alone")
        assert accepted(later.refresh, at)
        assert not accepted(former.refresh, at)  # removed too early

    @pytest.mark.parametrize(
        "signet",
        [
            {"SIGNING_KEY": "a secret for tokens alone, with enough bytes"},
            {"ALGORITHM": "ES256", "SIGNING_KEY": dict(signer("ES256").jwk)},
        ],
    )
    def test_ring_with_an_entry_for_signing_key_logs_nobody_out(
        self, use: Callable[[str], None], issue: Issue, settings: Any, signet: dict[str, Any]
    ) -> None:
        settings.SIGNET = signet
        former = issue(MAY)
        use("ring beside SECRET_KEY")
        first, _ = settings.SIGNET["KEYS"]
        entry = {"alg": signet.get("ALGORITHM", "HS256"), "key": signet["SIGNING_KEY"]}
        settings.SIGNET = {"ALGORITHM": "EdDSA", "KEYS": [first, entry]}
        during = issue(MAY - timedelta(seconds=1))
        assert accepted(former.refresh, MAY)
        assert accepted(during.refresh, MAY)
        settings.SIGNET = signet  # a process that still runs with the former settings
        assert accepted(during.refresh, MAY)

    def test_ring_needs_an_entry_for_each_fallback_of_secret_key(
        self, use: Callable[[str], None], issue: Issue, settings: Any
    ) -> None:
        former = issue(MAY)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "the next secret of the project, with enough bytes"
        assert accepted(former.refresh, MAY)
        use("ring beside SECRET_KEY")
        assert not accepted(former.refresh, MAY)
        fallback = {"alg": "HS256", "key": settings.SECRET_KEY_FALLBACKS[0]}
        settings.SIGNET = {**settings.SIGNET, "KEYS": [*settings.SIGNET["KEYS"], fallback]}
        assert accepted(former.refresh, MAY)

    def test_ring_refuses_a_secret_key_that_is_too_short(
        self, use: Callable[[str], None], settings: Any
    ) -> None:
        settings.SECRET_KEY = "short"
        use("ring beside SECRET_KEY")
        assert [message.id for message in configuration.check_settings()] == ["signet.E014"]

    def test_next_key_signs_from_not_before_and_the_former_key_expires_after_its_tokens(
        self, use: Callable[[str], None], issue: Issue, settings: Any
    ) -> None:
        use("ring alone")
        last = issue(NOVEMBER - timedelta(seconds=1))
        use("next key")
        assert kid_at(NOVEMBER - timedelta(seconds=1)) == "2026-05"
        assert kid_at(NOVEMBER) == "2026-11"
        assert accepted(last.refresh, NOVEMBER + DAY - timedelta(seconds=2))
        expires = NOVEMBER + 15 * DAY
        longest = lifetimes.longest_of_a_token(runtime.current().settings)
        assert expires - NOVEMBER >= longest
        assert (
            len(runtime.current().keys.profiles.plain.at(expires.timestamp()).verifying_keys) == 1
        )

    def test_leaked_key_is_refused_at_once_and_tokens_of_other_keys_stay_valid(
        self, use: Callable[[str], None], issue: Issue
    ) -> None:
        use("next key")
        leaked, current = issue(NOVEMBER - timedelta(minutes=1)), issue(NOVEMBER)
        at = NOVEMBER + timedelta(minutes=1)
        assert tokens.verify_access(leaked.access, now=NOVEMBER.timestamp())
        use("leaked key removed")
        assert not accepted(leaked.refresh, at)
        with pytest.raises(UnknownKey):  # although the token was verified before
            tokens.verify_access(leaked.access, now=NOVEMBER.timestamp())
        assert accepted(current.refresh, at)
        assert accepted(current.access, at, ACCESS)
        use("ring alone")  # a process that still runs with the former settings
        assert accepted(leaked.refresh, at)
        assert not accepted(current.refresh, at)

    def test_way_back_to_secret_key_logs_nobody_out(
        self, use: Callable[[str], None], issue: Issue
    ) -> None:
        use("ring alone")
        former = issue(NOVEMBER - timedelta(minutes=1))
        use("SECRET_KEY beside the ring")
        assert kid_at(NOVEMBER - timedelta(seconds=1)) == "2026-05"
        assert kid_at(NOVEMBER) is None
        later = issue(NOVEMBER)
        for pair in (former, later):
            assert accepted(pair.refresh, NOVEMBER)
        use("SECRET_KEY alone")
        assert accepted(later.refresh, NOVEMBER)

    def test_change_of_the_profile_logs_nobody_out(
        self, use: Callable[[str], None], issue: Issue
    ) -> None:
        pairs = [issue(NOVEMBER)]
        for step in ("both profiles", "new profile"):
            use(step)
            pairs.append(issue(NOVEMBER))
        for step, pair in itertools.product(("both profiles", "new profile"), pairs):
            use(step)
            assert accepted(pair.access, NOVEMBER, ACCESS)
            assert accepted(pair.refresh, NOVEMBER)


@pytest.mark.parametrize("step", STEPS)
def test_settings_of_a_step_get_no_error(step: str, use: Callable[[str], None]) -> None:
    use(step)
    found = [message.id for message in configuration.check_settings()]
    assert found == []
    assert not [m for m in run_checks() if m.is_serious()]


def test_table_of_the_page_lists_the_names_of_an_entry() -> None:
    from drf_signet.conf.keys import RingEntry

    names = {row["name"].strip("`") for row in table(PAGE, "Keys, and how to replace them")}
    assert names == RingEntry.__annotations__.keys() - {"derives_kid"}
