"""Tests of docs/howto/social-login.md with django-allauth and its provider for tests, `dummy`."""

import re

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client, TestCase

#: The example of RFC 7636, Appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
GUARD = {"x-requested-with": "x", "sec-fetch-site": "same-origin"}


def come_back(client, path="/login/start/"):
    """Log in at the provider, and return the response of `/login/done/`."""
    login_page = client.get(path)["Location"]
    assert client.get(login_page).status_code == 200  # a page with a button
    authenticate = client.post(login_page)["Location"]
    assert client.get(authenticate).status_code == 200
    account = {"id": "4711", "email": "ada@example.com", "email_verified": "on", "username": "ada"}
    returned = client.post(authenticate, account)
    assert returned["Location"] == "/login/done/", returned["Location"]
    return client.get("/login/done/")


class BrowserTests(TestCase):
    def test_page_gets_the_cookie_and_django_s_session_ends(self):
        response = come_back(self.client)
        self.assertEqual(response["Location"], "https://app.example.com/")
        self.assertNotIn("eyJ", response["Location"])
        self.assertNotIn("_auth_user_id", self.client.session)
        answer = self.client.post("/auth/refresh/", {}, "application/json", headers=GUARD)
        self.assertEqual(answer.json().keys(), {"access", "expires_in"})
        headers = {"Authorization": f"Bearer {answer.json()['access']}"}
        [session] = self.client.get("/api/token/sessions/", headers=headers).json()
        self.assertEqual(session["transport"], "cookie")

    def test_second_login_finds_the_same_user(self):
        come_back(self.client)
        come_back(Client())
        self.assertEqual(get_user_model().objects.get().username, "ada")

    def test_done_ignores_a_django_session_that_did_not_start_here(self):
        self.client.force_login(get_user_model().objects.create_user("admin"))
        response = self.client.get("/login/done/")
        self.assertEqual(response["Location"], "https://app.example.com/")
        self.assertFalse(response.cookies)
        self.assertIn("_auth_user_id", self.client.session)

    def test_done_without_a_login_sets_no_cookie(self):
        self.client.get("/login/start/")
        self.assertNotIn("signet", self.client.get("/login/done/").cookies.output())


class AppTests(TestCase):
    def setUp(self):
        cache.clear()
        location = come_back(self.client, f"/login/start/?challenge={CHALLENGE}")["Location"]
        self.code = re.fullmatch(r"com\.example\.app:/login\?code=([\w-]{43})", location)[1]

    def exchange(self, **body):
        body = {"code": self.code, "verifier": VERIFIER, **body}
        return self.client.post("/api/token/handover/", body)

    def test_code_is_exchanged_for_tokens_once(self):
        answer = self.exchange()
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual(answer["Cache-Control"], "no-store")
        refresh = {"refresh": answer.json()["refresh"]}
        self.assertEqual(self.client.post("/api/token/refresh/", refresh).status_code, 200)
        self.assertEqual(self.exchange().status_code, 400)

    def test_wrong_verifier_is_rejected_and_uses_up_the_code(self):
        self.assertEqual(self.exchange(verifier="x" * 43).status_code, 400)
        self.assertEqual(self.exchange().status_code, 400)

    def test_inactive_user_is_rejected(self):
        get_user_model().objects.update(is_active=False)
        self.assertEqual(self.exchange().status_code, 400)

    def test_invalid_code_is_rejected(self):
        for code in ("", "x", "x" * 43, "é" * 43, "\x00"):
            self.assertEqual((code, self.exchange(code=code).status_code), (code, 400))
