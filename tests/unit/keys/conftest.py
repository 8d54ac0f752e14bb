"""Fixtures for tests of keys in the database."""

from __future__ import annotations

from typing import Any

import pytest

from drf_signet.keys.database import DatabaseKeys
from tests.support.signing_keys import IN_DATABASE


@pytest.fixture
def keys_in_database(transactional_db: None, settings: Any, monkeypatch: Any) -> None:
    """Use the key provider "database", and read the table, which tests of projects do not."""
    monkeypatch.setattr(DatabaseKeys, "alone", False)
    settings.SIGNET = IN_DATABASE
