"""Check every answer that a unit test provokes against the OpenAPI schema."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from drf_signet.views import SignetView
from tests.support import openapi_answers


@pytest.fixture(autouse=True)
def _answers_are_documented(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test if an endpoint gives an answer that the OpenAPI schema does not describe."""
    found: list[str] = []
    finalize = SignetView.finalize_response

    @functools.wraps(finalize)
    def finalize_and_check(view: SignetView, *args: Any, **kwargs: Any) -> Any:
        response = finalize(view, *args, **kwargs)
        response.add_post_render_callback(
            lambda rendered: found.extend(openapi_answers.mistakes(view, rendered))
        )
        return response

    # Not the fixture `monkeypatch`: requested here, it would undo the patches of a test too late.
    with pytest.MonkeyPatch.context() as patch:
        if "answers_of_the_project" not in request.fixturenames:
            patch.setattr(SignetView, "finalize_response", finalize_and_check)
        yield
    assert found == []


@pytest.fixture
def answers_of_the_project() -> None:
    """Let the project of a test replace answers of the endpoints. OpenAPI cannot know these."""
