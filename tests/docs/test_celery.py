"""Run the project of docs/howto/celery.md: a Celery worker, Redis and a web process."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks
from tests.e2e.example import free_port
from tests.support.redis_server import redis_server

WORKER = ["-m", "celery", "--app", "mysite", "worker", "--concurrency", "1", "--loglevel", "INFO"]
WORKER += ["--without-gossip", "--without-mingle"]  # with no other worker, they only cost time


@pytest.fixture
def project(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Write the project of the page to `tmp_path`. Yield the environment of its processes."""
    if importlib.util.find_spec("celery") is None:
        pytest.skip("Celery is not installed")
    shutil.copytree(Path(__file__).with_name("celery_project"), tmp_path, dirs_exist_ok=True)
    for block in blocks(DOCS / "howto" / "celery.md"):
        if block.file:
            block.file.write(tmp_path)
    with redis_server() as redis:
        redis.start()
        yield {
            **os.environ,
            "API_URL": f"http://127.0.0.1:{free_port()}",
            "CELERY_BROKER_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
            "NO_PROXY": "*",
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
        }


def run(directory: Path, variables: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def worker(directory: Path, variables: dict[str, str]) -> Iterator[Path]:
    """Run a worker with one process, and yield its log. Tasks that are sent early wait in Redis."""
    log = directory / "worker.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, *WORKER],
            cwd=directory,
            env=variables,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def test_tasks_of_the_page_run_in_a_worker_and_end_sessions_for_the_web_process(
    project: dict[str, str], tmp_path: Path
) -> None:
    run(tmp_path, project, "-m", "django", "migrate", "--verbosity=0")
    with worker(tmp_path, project) as log:
        try:
            printed = run(tmp_path, project, "web.py")
        except AssertionError as error:
            pytest.fail(f"{error}\n{log.read_text('utf-8')}")
    assert json.loads(printed) == {
        "status of the view": 202,
        "the view sends ids": True,
        "report": "sent",
        "status of the called API": 200,
        "live sessions after the call": 1,
        "sessions ended by the worker": 1,
        "reason in this process": "ended",
        "report after the end": "logged out",
        "clean-up": None,
        "beat knows": [True],
    }
    assert "0 expired sessions deleted" in log.read_text("utf-8")
