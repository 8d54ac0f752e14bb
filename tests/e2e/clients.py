"""Send requests with curl and HTTPie, the command-line clients that the tutorial uses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, Protocol

from tests.e2e.example import environment


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Message
    body: str

    @property
    def json(self) -> Any:
        """Parse the body as JSON. Return None if the body is empty."""
        return json.loads(self.body) if self.body else None


class Client(Protocol):
    """The methods that the two command-line clients have in common."""

    def post(self, url: str, **fields: str) -> Answer:
        """Send a POST request with the fields as JSON."""

    def post_form(self, url: str, **fields: str) -> Answer:
        """Send a POST request with the fields as form data."""

    def get(self, url: str, *, access: str = "") -> Answer:
        """Send a GET request, with an Authorization header unless `access` is empty."""


def _bearer(access: str) -> str:
    return f"Authorization: Bearer {access}"


class Curl:
    """A client that runs curl."""

    def post(self, url: str, **fields: str) -> Answer:
        return self.run("-H", "Content-Type: application/json", "-d", json.dumps(fields), url)

    def post_form(self, url: str, **fields: str) -> Answer:
        pairs = [part for k, v in fields.items() for part in ("--data-urlencode", f"{k}={v}")]
        return self.run(*pairs, url)

    def get(self, url: str, *, access: str = "") -> Answer:
        return self.run(*(["-H", _bearer(access)] if access else []), url)

    def run(self, *arguments: str) -> Answer:
        """Run curl with these arguments, and return the response that curl prints."""
        return _answer(["curl", "--silent", "--show-error", "--include", *arguments], {})


@dataclass(frozen=True, kw_only=True)
class HTTPie:
    """A client that runs HTTPie."""

    variables: Mapping[str, str]

    def post(self, url: str, **fields: str) -> Answer:
        return self.run("post", url, *(f"{k}={v}" for k, v in fields.items()))

    def post_form(self, url: str, **fields: str) -> Answer:
        return self.run("--form", "post", url, *(f"{k}={v}" for k, v in fields.items()))

    def get(self, url: str, *, access: str = "") -> Answer:
        return self.run(url, *([_bearer(access)] if access else []))

    def run(self, *arguments: str) -> Answer:
        """Run HTTPie with these arguments, and return the response that HTTPie prints."""
        options = ["--ignore-stdin", "--print=hb", "--pretty=none"]
        command = [sys.executable, "-W", "ignore", "-m", "httpie", *options, *arguments]
        return _answer(command, self.variables)


def httpie_variables(directory: Path) -> dict[str, str]:
    """Turn off HTTPie's update warnings, and return the environment variables for HTTPie."""
    config = directory / "config.json"
    config.write_text(json.dumps({"disable_update_warnings": True}), encoding="utf-8")
    return {"HTTPIE_CONFIG_DIR": str(directory)}


def _answer(command: list[str], variables: Mapping[str, str]) -> Answer:
    env = environment(**variables)
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    return Answer(
        status=int(status.split()[1]),
        headers=BytesHeaderParser().parsebytes(headers),
        body=body.decode().strip(),
    )
