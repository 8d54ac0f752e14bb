"""User models with different types of primary keys, and subclasses of Django's User."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, User
from django.db import models


class Account(AbstractBaseUser):
    """An abstract user model with the fields that the models below share."""

    username = models.CharField(max_length=150, unique=True)
    email = models.EmailField(default="somebody@example.com")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    friend = models.ForeignKey("self", models.CASCADE, null=True, related_name="+")

    USERNAME_FIELD = "username"
    objects: ClassVar[BaseUserManager[Any]] = BaseUserManager()

    class Meta:
        abstract = True


class KeyedByUUID(Account):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        app_label = "usermodels"


class KeyedByText(Account):
    code = models.CharField(max_length=20, primary_key=True)

    class Meta:
        app_label = "usermodels"


class Person(Account):
    class Meta:
        app_label = "usermodels"


class Member(Person):
    """A user model whose primary key refers to the row of its parent model."""

    number = models.IntegerField(default=7)

    class Meta:
        app_label = "usermodels"


class Employee(User):
    """A subclass of Django's User with its own table."""

    # No database constraint, so that tests of other modules can truncate the table of users.
    account = models.OneToOneField(
        User, models.CASCADE, parent_link=True, primary_key=True, db_constraint=False
    )
    desk = models.CharField(max_length=20, default="")

    class Meta:
        app_label = "usermodels"


class Staff(User):
    """A proxy model of Django's User."""

    class Meta:
        app_label = "usermodels"
        proxy = True
