"""Follow the tutorial in a new virtual environment, with drf-signet installed from a wheel.

    python tests/e2e/wheel_tutorial.py dist/drf_signet-0.1.0-py3-none-any.whl

The script creates a Django project with the tutorial's code and starts a server. Then it obtains
tokens, calls the API, refreshes the access token, and calls the API again. It needs only the
standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SETTINGS = """
INSTALLED_APPS += ['rest_framework', 'drf_signet']

REST_FRAMEWORK = {
    'DEFAULT_AUTHENTICATION_CLASSES': ['drf_signet.authentication.JWTAuthentication'],
}
"""

URLS = """
from django.urls import path
from drf_signet import views as jwt_views
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView


class HelloView(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({'message': 'Hello, World!'})


urlpatterns = [
    path('api/token/', jwt_views.TokenObtainPairView.as_view(), name='token_obtain_pair'),
    path('api/token/refresh/', jwt_views.TokenRefreshView.as_view(), name='token_refresh'),
    path('hello/', HelloView.as_view(), name='hello'),
]
"""

CREDENTIALS = {"username": "vitor", "password": "123"}
# The header {"typ":"JWT","alg":"HS256"} in Base64URL.
HEADER = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"


def main(wheel: str) -> None:
    with tempfile.TemporaryDirectory(prefix="signet-tutorial-") as folder:
        python = install(Path(folder, "venv"), wheel)
        project = Path(folder, "mysite")
        make_project(python, project)
        with running(python, project) as url:
            follow(url)
    print("1 passed, 0 failed")


def install(environment: Path, wheel: str) -> Path:
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    return python


def make_project(python: Path, project: Path) -> None:
    project.mkdir()
    run(python, "-m", "django", "startproject", "mysite", project)
    with (project / "mysite" / "settings.py").open("a") as settings:
        settings.write(SETTINGS)
    (project / "mysite" / "urls.py").write_text(URLS)
    manage = project / "manage.py"
    run(python, manage, "migrate", "--verbosity=0")
    run(python, manage, "makemigrations", "--check", "--dry-run")
    user = [f"--username={CREDENTIALS['username']}", "--email=vitor@localhost"]
    password = {"DJANGO_SUPERUSER_PASSWORD": CREDENTIALS["password"]}
    run(python, manage, "createsuperuser", "--noinput", "--verbosity=0", *user, **password)


def follow(url: str) -> None:
    request_json(401, f"{url}/hello/")
    pair = request_json(200, f"{url}/api/token/", body=CREDENTIALS)
    expect(pair.keys() == {"access", "refresh"}, f"a token pair, not {sorted(pair)}")
    expect(pair["access"].split(".")[0] == HEADER, "the JWT header that the tutorial prints")
    hello = request_json(200, f"{url}/hello/", token=pair["access"])
    expect(hello == {"message": "Hello, World!"}, f"the greeting of the view, not {hello}")
    request_json(401, f"{url}/hello/", token=pair["refresh"])
    fresh = request_json(200, f"{url}/api/token/refresh/", body={"refresh": pair["refresh"]})
    expect(fresh.keys() == {"access"} and fresh != pair, "a new access token and no refresh token")
    request_json(200, f"{url}/hello/", token=fresh["access"])


def request_json(
    status: int, url: str, *, body: dict[str, str] | None = None, token: str | None = None
) -> Any:
    """Send a request, check the status of the response, and return the JSON in its body."""
    request = urllib.request.Request(url, headers={"Content-Type": "application/json"})
    if body is not None:
        request.data = json.dumps(body).encode()
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            actual, content = response.status, json.load(response)
    except urllib.error.HTTPError as error:
        actual, content = error.code, json.load(error)
    print(f"{request.get_method():4} {url} -> {actual}")
    expect(actual == status, f"status {status}, not {actual}: {content}")
    return content


def expect(condition: bool, expected: str) -> None:
    if not condition:
        sys.exit(f"expected {expected}")


@contextmanager
def running(python: Path, project: Path) -> Iterator[str]:
    """Serve the project on a free port, and yield the server's URL."""
    server = subprocess.Popen(
        [str(python), "manage.py", "runserver", "--noreload", "127.0.0.1:0"],
        cwd=project,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        starting = "Starting development server at "
        line = next((line for line in server.stdout if line.startswith(starting)), None)
        expect(line is not None, "a server that starts")
        yield str(line).removeprefix(starting).strip().rstrip("/")
    finally:
        server.terminate()
        server.wait(timeout=30)


def run(*command: str | Path, **env: str) -> None:
    subprocess.run(command, check=True, env=os.environ | env)


if __name__ == "__main__":
    main(*sys.argv[1:])
