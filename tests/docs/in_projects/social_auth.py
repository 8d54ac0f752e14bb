"""Tests of docs/howto/social-login.md with python-social-auth and a provider of its own."""

from accounts import handover
from django.contrib.auth import get_user_model
from django.test import TestCase
from django.urls import include, path
from social_core.backends.base import BaseAuth

GUARD = {"x-requested-with": "x", "sec-fetch-site": "same-origin"}
urlpatterns = [
    path("login/start/", handover.start),
    path("login/done/", handover.done),
    path("", include("social_django.urls", namespace="social")),
    path("auth/", include("drf_signet.urls_browser")),
]


class LocalAuth(BaseAuth):
    """A service that answers at once, without a network."""

    name = "github"
    ID_KEY = "id"

    def auth_url(self):
        return "/complete/github/"

    def auth_complete(self, *args, **kwargs):
        response = {"id": "4711", "username": "ada"}
        kwargs.update({"response": response, "backend": self})
        return self.strategy.authenticate(*args, **kwargs)

    def get_user_details(self, response):
        return {"username": response["username"]}


class BrowserTests(TestCase):
    def test_page_gets_the_cookie(self):
        self.assertEqual(self.client.get("/login/start/")["Location"], "/login/")
        self.assertEqual(self.client.post("/login/github/")["Location"], "/complete/github/")
        self.assertEqual(self.client.get("/complete/github/")["Location"], "/login/done/")
        response = self.client.get("/login/done/")
        self.assertEqual(response["Location"], "https://app.example.com/")
        self.assertEqual(get_user_model().objects.get().username, "ada")
        answer = self.client.post("/auth/refresh/", {}, "application/json", headers=GUARD)
        self.assertEqual(answer.status_code, 200)
