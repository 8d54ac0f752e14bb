"""Test the changelog's form, and the workflow that publishes a release."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

import drf_signet
from tests.docs.pages import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
JOBS: dict[str, dict[str, Any]] = yaml.safe_load(WORKFLOW)["jobs"]
#: The sections of a release, in this order. A release has only those that it needs.
SECTIONS = ["Security", "Changed", "Deprecated", "Removed", "Fixed", "Added"]

_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+) \((unreleased|\d{4}-\d{2}-\d{2})\)")


def releases() -> list[tuple[str, str]]:
    """Return the heading and the text of each release in the changelog, the newest first."""
    _, *parts = re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def test_releases_have_versions_and_dates_and_the_newest_is_first():
    matches = [_RELEASE.fullmatch(heading) for heading, _ in releases()]
    assert None not in matches
    versions = [tuple(map(int, match.groups()[:3])) for match in matches if match]
    assert versions == sorted(set(versions), reverse=True)
    assert [match[4] for match in matches[1:] if match and match[4] == "unreleased"] == []


def test_newest_release_is_the_version_of_the_package():
    assert releases()[0][0].partition(" ")[0] == drf_signet.__version__


@pytest.mark.parametrize("heading", [heading for heading, _ in releases()])
def test_release_has_known_sections_with_security_first(heading):
    sections = re.findall(r"^### (.*)$", dict(releases())[heading], re.MULTILINE)
    assert sections
    assert sections == [name for name in SECTIONS if name in sections]


def test_workflow_says_that_it_has_not_been_run():
    comment = WORKFLOW.partition("name:")[0]
    assert "HAS NOT BEEN RUN" in comment


def test_actions_of_the_workflow_are_pinned_to_exact_versions():
    actions = [step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert actions
    assert [name for name in actions if not re.search(r"@v\d+\.\d+\.\d+$", name)] == []


def test_workflow_builds_tests_and_attests_before_it_publishes():
    needs = {name: job.get("needs", []) for name, job in JOBS.items()}
    assert needs == {
        "build": [],
        "test": "build",
        "attest": ["build", "test"],
        "publish-to-pypi": "attest",
        "publish-to-npm": "attest",
    }


def test_publishing_jobs_have_an_environment_and_an_identity_and_no_secret():
    for name in ("publish-to-pypi", "publish-to-npm"):
        assert JOBS[name]["environment"] == name.removeprefix("publish-to-")
        assert JOBS[name]["permissions"] == {"id-token": "write"}
    assert "secrets." not in WORKFLOW


def test_workflow_tests_each_python_of_the_classifiers():
    classifiers = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pythons = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', classifiers)
    assert JOBS["test"]["strategy"]["matrix"]["python"] == pythons
