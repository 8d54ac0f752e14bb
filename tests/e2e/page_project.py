"""Serve the project of a documentation page, and an HTML page that runs the scripts of the page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docs.pages import DOCS, blocks
from tests.docs.projects import SETTINGS, Project
from tests.e2e.example import free_port
from tests.e2e.node import CLIENT

#: The URL configuration that adds an HTML page, with the scripts in the folder `scripts`.
URLS = """
from pathlib import Path

from django.http import HttpResponse
from django.urls import path

from mysite import urls

ICON = '<link rel="icon" href="data:,">'
HTML = f'<!doctype html>{ICON}<script type="module" src="/s/main.js"></script>'


def script(request, name):
    text = Path("scripts", name).read_text(encoding="utf-8")
    return HttpResponse(text, content_type="text/javascript")


urlpatterns = [
    path("", lambda request: HttpResponse(HTML)),
    path("s/<str:name>", script),
    *urls.urlpatterns,
]
"""
AUTH = "import { createAuth } from './client.js'; export const auth = createAuth();"
CREATE_USERS = """
from django.contrib.auth.models import User
for name in ("vitor", "rita"):
    User.objects.create_user(name, password="123")
"""
#: How to serve a project by ASGI.
UVICORN = ("-m", "uvicorn", "mysite.asgi:application", "--log-level", "info")


@contextmanager
def serve(
    directory: Path, guide: str, *, settings: str, urls: str = "", asgi: bool = False
) -> Iterator[str]:
    """Serve the project of a page, with the users vitor and rita, and yield its origin.

    Args:
        guide: the page. Its last script is available as `window.recipe`.
        settings: code that is appended to the settings. `$origin` is the origin of the server.
        urls: code that is appended to the URL configuration.
        asgi: whether Uvicorn serves the project.
    """
    project, port = Project(directory, guide), free_port()
    origin = f"http://localhost:{port}"
    project.append(SETTINGS, settings.replace("$origin", origin))
    project.append(SETTINGS, 'ROOT_URLCONF = "mysite.pages"\n')
    project.append("mysite/urls.py", urls)
    project.append("mysite/pages.py", URLS)
    for block in blocks(DOCS / guide):
        if block.language == "python" and block.file is not None:
            block.file.write(directory / "work")
    _write_scripts(directory / "work" / "scripts", guide)
    if (directory / "work" / "accounts").is_dir():
        project.manage("makemigrations", "accounts")
    project.manage("migrate")
    project.manage("shell", "-c", CREATE_USERS)
    command = (sys.executable, *UVICORN, "--port", str(port)) if asgi else ()
    with project.served(port, *command):
        yield origin


def _write_scripts(directory: Path, guide: str) -> None:
    directory.mkdir()
    code = [block.text for block in blocks(DOCS / guide) if block.language == "js"][-1]
    name = re.match(r"// ([\w.]+)\n", code)
    assert name, guide
    main = f"import {{ auth }} from './auth.js'; import * as recipe from './{name[1]}';\n"
    scripts = {
        "main.js": f"{main}Object.assign(window, {{ auth, recipe }});",
        "auth.js": AUTH,
        "client.js": CLIENT.read_text(encoding="utf-8"),
        name[1]: code,
    }
    for path, text in scripts.items():
        (directory / path).write_text(text, encoding="utf-8")
