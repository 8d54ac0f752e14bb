"""User models unlike Django's own: each has another kind of key, and another name to log in by."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class Manager(BaseUserManager[Any]):
    """Makes users of whatever fields they have."""

    def create_user(self, password: str | None = None, **fields: Any) -> Any:
        """Save a user with a password."""
        user = self.model(**fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class EmailUser(AbstractBaseUser):
    """Has a UUID for a key, and logs in by an address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return self.email


class BadgeUser(AbstractBaseUser):
    """Has a text for a key, and logs in by it."""

    badge = models.CharField(primary_key=True, max_length=40)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "badge"

    def __str__(self) -> str:
        return self.badge


class Person(models.Model):
    """Somebody, who need not be a user."""

    name = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.name


class Member(Person, AbstractBaseUser):
    """Inherits its table and key from another model."""

    number = models.CharField(unique=True, max_length=40)
    is_active = models.BooleanField(default=True)

    objects = Manager()

    USERNAME_FIELD = "number"

    def __str__(self) -> str:
        return self.number
