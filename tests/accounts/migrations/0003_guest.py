from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_customer")]

    operations = [
        migrations.CreateModel(
            name="Guest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                ("username", models.CharField(max_length=40, unique=True)),
                ("password", models.CharField(db_column="secret", max_length=128, null=True)),
                ("state", models.CharField(default="active", max_length=10)),
            ],
            options={"abstract": False},
        ),
    ]
