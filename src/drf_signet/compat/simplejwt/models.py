"""`TokenUser`: a user who is no more than what the token says."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from django.contrib.auth import models as auth_models
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models.manager import EmptyManager
from django.utils.functional import cached_property

from .settings import api_settings


def _no_row(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError("Token users have no DB representation")


class TokenUser:
    """The user that a verified token names, without a row: for services that have no users.

    The claims are its attributes; one that is missing is None.
    """

    is_active = True
    is_anonymous = False
    is_authenticated = True

    _groups = EmptyManager(auth_models.Group)
    _user_permissions = EmptyManager(auth_models.Permission)

    save = delete = set_password = check_password = _no_row

    def __init__(self, token: Any) -> None:
        self.token = token

    def __str__(self) -> str:
        return f"TokenUser {self.id}"

    @cached_property
    def id(self) -> Any:
        """The value of the user claim."""
        return self.token[api_settings.USER_ID_CLAIM]

    @cached_property
    def pk(self) -> Any:
        """The same."""
        return self.id

    @cached_property
    def username(self) -> Any:
        """The claim of this name, or an empty text."""
        return self.token.get("username", "")

    @cached_property
    def is_staff(self) -> Any:
        """The claim of this name, or False."""
        return self.token.get("is_staff", False)

    @cached_property
    def is_superuser(self) -> Any:
        """The claim of this name, or False."""
        return self.token.get("is_superuser", False)

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, TokenUser) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def groups(self) -> Any:
        """No groups."""
        return self._groups

    @property
    def user_permissions(self) -> Any:
        """No permissions."""
        return self._user_permissions

    def get_group_permissions(self, obj: object = None) -> set[str]:
        """Return no permissions."""
        return set()

    def get_all_permissions(self, obj: object = None) -> set[str]:
        """Return no permissions."""
        return set()

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Return False."""
        return False

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        """Return False."""
        return False

    def has_module_perms(self, module: str) -> bool:
        """Return False."""
        return False

    def get_username(self) -> Any:
        """Return the claim `username`."""
        return self.username

    def __getattr__(self, attr: str) -> Any:
        """Return a claim, for those that a project adds."""
        if attr.startswith("__") or attr == "token":  # unpickling asks before there is a token
            raise AttributeError(attr)
        return self.token.get(attr)


#: For annotations, which projects have copied from overridden methods.
AuthUser = TypeVar("AuthUser", AbstractBaseUser, TokenUser)
