"""Create the table of sessions."""

from typing import Any

from django.conf import settings
from django.db import migrations, models

import drf_signet.models


class PostgreSQLOnly(migrations.RunSQL):
    """A `RunSQL` operation that runs on PostgreSQL only."""

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Run the SQL on PostgreSQL."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Run the reverse SQL on PostgreSQL."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, *states)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=drf_signet.models.END_SESSIONS,
                        related_name="signet_sessions",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("auth_time", models.DateTimeField(verbose_name="authenticated at")),
                ("refreshed_at", models.DateTimeField(verbose_name="last refreshed at")),
                ("expires_at", models.DateTimeField(db_index=True, verbose_name="expires at")),
                (
                    "ended_at",
                    models.DateTimeField(
                        blank=True, db_index=True, null=True, verbose_name="ended at"
                    ),
                ),
                ("generation", models.IntegerField(default=0, verbose_name="generation")),
                (
                    "end_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("logout", "logged out"),
                            ("logout_all", "logged out everywhere"),
                            ("ended_by_user", "ended by the user"),
                            ("ended_by_admin", "ended by an administrator"),
                            ("reuse", "a rotated refresh token was reused"),
                            ("password_changed", "the password was changed"),
                            ("user_inactive", "the user was deactivated"),
                            ("user_deleted", "the user was deleted"),
                            ("evicted", "too many sessions"),
                        ],
                        default="",
                        max_length=16,
                        verbose_name="end reason",
                    ),
                ),
                ("password_stamp", models.CharField(default="", editable=False, max_length=11)),
                (
                    "transport",
                    models.CharField(
                        choices=[("token", "in a JSON body"), ("cookie", "in a cookie")],
                        default="token",
                        max_length=6,
                        verbose_name="transport",
                    ),
                ),
                (
                    "ip_address",
                    models.GenericIPAddressField(blank=True, null=True, verbose_name="IP address"),
                ),
                (
                    "label",
                    models.CharField(blank=True, default="", max_length=64, verbose_name="label"),
                ),
                (
                    "user_agent",
                    models.CharField(
                        blank=True, default="", max_length=160, verbose_name="user agent"
                    ),
                ),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
            },
        ),
        # Leave free space in each page of the table, so that the UPDATE of a rotation can write the
        # new version of the row to the same page (HOT update), without changes to the indexes.
        PostgreSQLOnly(
            "ALTER TABLE drf_signet_session SET (fillfactor = 95)",
            "ALTER TABLE drf_signet_session RESET (fillfactor)",
        ),
    ]
