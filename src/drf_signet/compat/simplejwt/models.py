"""`TokenUser`, a user object that is made from a token's claims and has no database row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar  # noqa: F401 - as in simplejwt

from django.contrib.auth import models as auth_models
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models.manager import EmptyManager
from django.utils.functional import cached_property

from .settings import api_settings


def _no_row(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError("Token users have no DB representation")


class TokenUser:
    """The user of a verified token, for services that have no table of users.

    Each claim of the token is an attribute of the user. A missing claim is None.
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
        """The value of the user claim, the same as `id`."""
        return self.id

    @cached_property
    def username(self) -> Any:
        """The `username` claim, or an empty string."""
        return self.token.get("username", "")

    @cached_property
    def is_staff(self) -> Any:
        """The `is_staff` claim, or False."""
        return self.token.get("is_staff", False)

    @cached_property
    def is_superuser(self) -> Any:
        """The `is_superuser` claim, or False."""
        return self.token.get("is_superuser", False)

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, TokenUser) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def groups(self) -> Any:
        """An empty manager: token users have no groups."""
        return self._groups

    @property
    def user_permissions(self) -> Any:
        """An empty manager: token users have no permissions."""
        return self._user_permissions

    def get_group_permissions(self, obj: object = None) -> set[str]:
        """Return an empty set: token users have no permissions."""
        return set()

    def get_all_permissions(self, obj: object = None) -> set[str]:
        """Return an empty set: token users have no permissions."""
        return set()

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Return False: token users have no permissions."""
        return False

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        """Return False: token users have no permissions."""
        return False

    def has_module_perms(self, module: str) -> bool:
        """Return False: token users have no permissions."""
        return False

    def get_username(self) -> Any:
        """Return the `username` claim."""
        return self.username

    def __getattr__(self, attr: str) -> Any:
        """Return the claim with this name, or None if the token has no such claim."""
        if attr.startswith("__") or attr == "token":  # unpickling reads `token` before it is set
            raise AttributeError(attr)
        return self.token.get(attr)


#: A type variable. Projects use it to annotate the methods that they override.
AuthUser = TypeVar("AuthUser", AbstractBaseUser, TokenUser)
