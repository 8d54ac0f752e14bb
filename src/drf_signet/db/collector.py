"""Lock the rows of users while Django's `Collector` deletes them."""

from __future__ import annotations

from typing import Any

from django.db import connections, models
from django.dispatch import Signal

#: Sent while users are being deleted, in the same transaction: after the rows of the users are
#: locked, and before their sessions are ended. Receivers get the keyword argument `user_ids`.
deleting_users = Signal()


class CollectedUsers(models.QuerySet[Any]):
    """The users that Django's `Collector` will delete. `update` locks their rows with one SELECT.

    The lock leaves two possibilities for a concurrent login: it has already saved its session,
    which the deletion then ends, or it does not find the user. The collector updates its querysets
    in one transaction, in the order in which they were added.
    """

    collector: Any

    def __or__(self, other: models.QuerySet[Any]) -> CollectedUsers:
        return self  # Django combines the batches; `update` locks the users of all batches

    def update(self, **kwargs: Any) -> int:
        """Lock the rows, then send `deleting_users`. No row is changed."""
        collected = self.collector.data.items()
        users = [some for model, some in collected if issubclass(model, self.model)]
        user_ids = sorted({user.pk for some in users for user in some})
        if connections[self.db].features.has_select_for_update:
            rows = self.filter(pk__in=user_ids).order_by("pk").select_for_update()
            list(rows.values_list("pk"))
        deleting_users.send(self.model, user_ids=user_ids)
        return len(user_ids)
