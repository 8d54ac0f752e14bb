"""Replace the index on `ended_at` with an index of ended sessions, for the revocation feed."""

from typing import Any

from django.db import migrations, models

#: The name that Django generated for the index on `ended_at`.
OLD = "drf_signet_session_ended_at_99e691de"


def _concurrently(schema_editor: Any) -> dict[str, bool]:
    """Return the arguments for creating or removing an index without blocking other queries.

    Only PostgreSQL needs one: `concurrently`. PostgreSQL does not accept it in a transaction. This
    migration runs in a transaction only if a package for tenants creates a schema and its tables in
    one transaction. In that case, the table is new, and no query is blocked.
    """
    connection = schema_editor.connection
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return {}
    return {"concurrently": True}


class AddIndexConcurrently(migrations.AddIndex):
    """Creates an index without locking the table for long. Reversible.

    django.contrib.postgres contains the same operation, but it can be imported only if a PostgreSQL
    driver is installed.
    """

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Create the index."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.add_index(model, self.index, **_concurrently(schema_editor))

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Remove the index."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, **_concurrently(schema_editor))


class RemoveIndexConcurrently(migrations.RemoveIndex):
    """Removes an index without locking the table for long. Reversible."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Remove the index."""
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            index = from_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
            schema_editor.remove_index(model, index, **_concurrently(schema_editor))

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Create the index again."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            index = to_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
            schema_editor.add_index(model, index, **_concurrently(schema_editor))


class Migration(migrations.Migration):
    # PostgreSQL cannot create an index concurrently in a transaction.
    atomic = False

    dependencies = [("drf_signet", "0001_initial")]

    operations = [
        AddIndexConcurrently(
            "session",
            models.Index(
                condition=models.Q(("ended_at__isnull", False)),
                fields=["ended_at", "id"],
                name="drf_signet_ended",
            ),
        ),
        # Only in the migration state, replace `db_index` of the field by an index with a name, so
        # that the next operation can remove the index by its name.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    "session",
                    "ended_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="ended at"),
                ),
                migrations.AddIndex("session", models.Index(fields=["ended_at"], name=OLD)),
            ]
        ),
        RemoveIndexConcurrently("session", OLD),
    ]
