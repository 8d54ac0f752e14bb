"""Tests of docs/howto/email-login.md, in a project whose users log in by their phone number."""

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import TestCase

SPELLINGS = ["030 123456", "+49 30 123456", "0049-30-123456", "+4930123456"]


class PhoneLoginTests(TestCase):
    def setUp(self):
        cache.clear()
        self.user = get_user_model().objects.create_user("030/123456", "correct horse")

    def log_in(self, phone, password="correct horse"):
        return self.client.post("/api/token/", {"phone": phone, "password": password})

    def test_number_is_stored_in_one_form(self):
        self.user.refresh_from_db()
        self.assertEqual(str(self.user.phone), "+4930123456")

    def test_login_accepts_every_spelling_of_the_number(self):
        for phone in SPELLINGS:
            answer = self.log_in(phone)
            self.assertEqual((phone, answer.status_code), (phone, 200))
            refresh = {"refresh": answer.json()["refresh"]}
            self.assertEqual(self.client.post("/api/token/refresh/", refresh).status_code, 200)

    def test_string_that_is_not_a_number_is_rejected(self):
        for phone in ("ada", "1", "\x00", "+" * 100):
            answer = self.log_in(phone)
            self.assertEqual((phone, answer.status_code), (phone, 400))
            self.assertIn("phone", answer.json())

    def test_spellings_of_the_number_share_one_limit(self):
        statuses = [self.log_in(SPELLINGS[n % 4], "wrong").status_code for n in range(11)]
        self.assertEqual(statuses, [401] * 10 + [429])
