"""The audit trail: one row for every write by a person or command, in the same transaction (A1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from diamondpay.models import AuditRow, User


def write(
    *,
    action: str,
    object_kind: str,
    object_id: str,
    now: datetime,
    actor: str = "",
    user: User | None = None,
    address: str | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
    is_refused: bool = False,
) -> AuditRow:
    """Write who did what to which object; call it inside the transaction of the deed.

    What was refused is written by `identity.refusals.write`, which keeps a flood out of the table.

    `before` and `after` are JSON-ready and already masked: no card number, ID number, phone or secret.
    """
    return AuditRow.objects.create(
        created_at=now,
        user=user,
        actor=actor or (user.get_username() if user else "system"),
        address=address,
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason,
        is_refused=is_refused,
    )


def write_each(
    *,
    action: str,
    object_kind: str,
    after: Mapping[str, Mapping[str, object]],
    now: datetime,
    user: User,
    address: str | None = None,
    reason: str = "",
) -> None:
    """Write that a person did the same to many objects at once: a row for each, in one statement.

    `after` is what `write` asks for, by object id. Call it inside the transaction of the deeds.
    """
    AuditRow.objects.bulk_create(
        AuditRow(
            created_at=now, user=user, actor=user.get_username(), address=address, action=action,
            object_kind=object_kind, object_id=object_id, after=dict(told), reason=reason,
        )
        for object_id, told in after.items()
    )  # fmt: skip
