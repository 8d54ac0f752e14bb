"""Add the idle lifetime of a session, which is null if the settings decide."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("drf_signet", "0002_index_of_ended_sessions")]

    # Without a default, so that PostgreSQL, MySQL and MariaDB do not rewrite the table, and processes
    # of the previous version can still write rows.
    operations = [
        migrations.AddField(
            model_name="session",
            name="idle_seconds",
            field=models.IntegerField(
                blank=True, editable=False, null=True, verbose_name="idle lifetime"
            ),
        ),
    ]
