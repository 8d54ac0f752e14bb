"""Tests of docs/howto/email-login.md, in a project whose users log in by their e-mail address."""

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.test import TestCase, override_settings
from django.urls import include, path

urlpatterns = [path("api/token/", include("drf_signet.urls"))]


@override_settings(ROOT_URLCONF="test_page")
class EmailLoginTests(TestCase):
    def setUp(self):
        self.user = get_user_model().objects.create_user("Ada@Example.com", "correct horse")

    def log_in(self, **credentials):
        return self.client.post("/api/token/", credentials)

    def test_login_reads_the_address_in_any_case(self):
        for email in ("ada@example.com", "ADA@EXAMPLE.COM", " Ada@example.com "):
            answer = self.log_in(email=email, password="correct horse")
            self.assertEqual((email, answer.status_code), (email, 200))

    def test_username_is_not_a_field_of_the_login(self):
        answer = self.log_in(username="ada@example.com", password="correct horse")
        self.assertEqual(answer.json()["email"], ["This field is required."])

    def test_second_user_with_the_address_in_another_case_is_rejected(self):
        with self.assertRaises(IntegrityError), transaction.atomic():
            get_user_model().objects.create_user("ADA@example.com")

    def test_spellings_of_the_address_share_one_limit(self):
        emails = ["ada@example.com", "ADA@example.com"] * 5
        statuses = [self.log_in(email=email, password="wrong").status_code for email in emails]
        self.assertEqual(statuses, [401] * 10)
        self.assertEqual(self.log_in(email="Ada@example.com", password="wrong").status_code, 429)

    def test_superuser_can_be_created(self):
        user = get_user_model().objects.create_superuser("root@example.com", "correct horse")
        self.assertTrue(user.is_staff and user.is_superuser)
