"""A web process beside the worker: it sends the tasks of the page, and prints what happens."""

import json
import os
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django

django.setup()

from accounts import tasks  # noqa: E402 - after django.setup
from celery.signals import before_task_publish  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.test import Client  # noqa: E402
from mysite.celery import app  # noqa: E402

from drf_signet import Session, issue  # noqa: E402

TIMEOUT = 60
sent = []


@before_task_publish.connect(weak=False)
def record(body=None, **kwargs):
    sent.append(list(body[0]))


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        """Print nothing, because the test reads what this process prints."""


def result(task, *arguments):
    return task.delay(*arguments).get(timeout=TIMEOUT)


def wait_for_401(headers):
    """Send requests until this process has read the end of the session. Return the reason."""
    deadline = time.monotonic() + TIMEOUT
    while (answer := Client().post("/report/", headers=headers)).status_code != 401:
        assert time.monotonic() < deadline
    return answer.json()["reason"]


port = int(os.environ["API_URL"].rpartition(":")[2])
server = make_server("127.0.0.1", port, get_wsgi_application(), handler_class=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()

ada = User.objects.create_user("ada", "ada@example.com")
pair = issue(ada)
headers = {"Authorization": f"Bearer {pair.access}"}
ids = [ada.pk, str(pair.session.pk)]
print(
    json.dumps(
        {
            "status of the view": Client().post("/report/", headers=headers).status_code,
            "the view sends ids": sent == [ids],
            "report": result(tasks.send_report, *ids),
            "status of the called API": result(tasks.call_api, ada.pk, "/task/"),
            "live sessions after the call": Session.objects.live().count(),
            "sessions ended by the worker": result(tasks.deactivate, [ada.pk]),
            "reason in this process": wait_for_401(headers),
            "report after the end": result(tasks.send_report, *ids),
            "clean-up": result(tasks.clear_expired_sessions),
            "beat knows": [e["task"] in app.tasks for e in app.conf.beat_schedule.values()],
        }
    )
)
