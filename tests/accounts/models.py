"""User models with different primary keys and USERNAME_FIELDs."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import QuerySet


class Manager(BaseUserManager[Any]):
    """The manager of the user models in this module."""

    def create_user(self, password: str | None = None, **fields: Any) -> Any:
        """Create a user with a password."""
        user = self.model(**fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class EmailUser(AbstractBaseUser):
    """A user model with a UUID as primary key and an email address as username."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return self.email


class BadgeUser(AbstractBaseUser):
    """A user model whose primary key is a string and is also the username."""

    badge = models.CharField(primary_key=True, max_length=40)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "badge"

    def __str__(self) -> str:
        return self.badge


class Person(models.Model):
    """The parent model of Member. It contains the primary key, and is not a user model."""

    name = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.name


class Member(Person, AbstractBaseUser):
    """A user model that inherits the primary key from a parent model."""

    number = models.CharField(unique=True, max_length=40)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "number"

    def __str__(self) -> str:
        return self.number


class Undeleted(Manager):
    """A manager that returns only the users who are not deleted."""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(deleted_at=None)


class Customer(AbstractBaseUser):
    """A user model with soft deletion: the default manager hides rows whose `deleted_at` is set."""

    username = models.CharField(unique=True, max_length=40)
    is_active = models.BooleanField(default=True)
    deleted_at = models.DateTimeField(null=True)

    objects = Undeleted()
    everybody = Manager()

    USERNAME_FIELD = "username"

    def __str__(self) -> str:
        return self.username


class Guest(AbstractBaseUser):
    """A user whose password may be NULL, and whose `is_active` is a property, not a column."""

    username = models.CharField(unique=True, max_length=40)
    password = models.CharField(max_length=128, null=True, db_column="secret")  # type: ignore[assignment]  # noqa: DJ001
    state = models.CharField(max_length=10, default="active")

    objects = Manager()

    USERNAME_FIELD = "username"

    def __str__(self) -> str:
        return self.username

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """Return whether the user may log in."""
        return self.state == "active"
