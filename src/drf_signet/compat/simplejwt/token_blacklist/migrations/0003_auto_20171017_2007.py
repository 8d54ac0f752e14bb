from typing import Any
from uuid import UUID

from django.db import migrations


def to_text(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("token_blacklist", "OutstandingToken").objects
    for row in rows.using(schema_editor.connection.alias).iterator():
        row.jti_hex = row.jti.hex
        row.save(update_fields=["jti_hex"])


def to_uuid(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("token_blacklist", "OutstandingToken").objects
    for row in rows.using(schema_editor.connection.alias).iterator():
        row.jti = UUID(hex=row.jti_hex)
        row.save(update_fields=["jti"])


class Migration(migrations.Migration):
    dependencies = [("token_blacklist", "0002_outstandingtoken_jti_hex")]
    operations = [migrations.RunPython(to_text, to_uuid)]
