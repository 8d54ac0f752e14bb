"""Create the table of signing keys. Processes of the previous version do not use it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("drf_signet", "0003_idle_lifetime_of_a_session"),
    ]

    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("id", models.IntegerField(editable=False, primary_key=True, serialize=False)),
                ("kid", models.CharField(max_length=64, unique=True, verbose_name="kid")),
                ("algorithm", models.CharField(blank=True, max_length=8, verbose_name="algorithm")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("not_before", models.DateTimeField(verbose_name="signs from")),
                ("signs_until", models.DateTimeField(null=True, verbose_name="signs until")),
                ("retired_at", models.DateTimeField(null=True, verbose_name="retired at")),
                (
                    "token_lifetime",
                    models.IntegerField(verbose_name="longest lifetime of a token, in seconds"),
                ),
                ("private_key", models.TextField(blank=True, editable=False)),
            ],
            options={
                "verbose_name": "signing key",
                "verbose_name_plural": "signing keys",
            },
        ),
    ]
