"""Who may see which rows: one function, through which every queryset goes that reaches a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar

from django.contrib.auth.models import AnonymousUser, Group
from django.db.models import Model, Q, QuerySet

from diamondpay.lib import sql
from diamondpay.models import User

Row = TypeVar("Row", bound=Model)
Belongings = tuple[list[str], list[Group]]

# The group of people who act for a merchant. One of them without a membership sees nothing.
MERCHANT_ROLE = "Merchant user"
# Every page asks whose rows a person sees, and almost every one which roles they hold.
_BELONGINGS = """
    SELECT merchant_id, NULL::bigint, NULL FROM merchants_membership WHERE user_id = %(user)s
    UNION ALL
    SELECT NULL, role.id, role.name FROM diamondpay_user_groups AS holder
    JOIN auth_group AS role ON role.id = holder.group_id WHERE holder.user_id = %(user)s
    ORDER BY 3
"""

# Where a row names its merchant, by model label; several ways mean that any of them is enough.
_PATHS: dict[str, tuple[str, ...]] = {
    "merchants.merchant": ("pk",),
    "merchants.merchantservice": ("merchant",),
    "merchants.merchantchannel": ("merchant",),
    "merchants.servicebound": ("merchant_channel__merchant",),
    "merchants.credential": ("merchant",),
    "merchants.allowedaddress": ("merchant",),
    "merchants.apicall": ("merchant",),
    "merchants.membership": ("merchant",),
    "records.payment": ("merchant",),
    "records.payout": ("merchant",),
    "records.payoutattempt": ("payout__merchant",),
    "records.statuschange": ("payment__merchant", "payout__merchant"),
    "records.upstreamcall": ("payment__merchant", "attempt__payout__merchant"),
    "records.account": ("merchant",),
    "records.posting": ("payment__merchant", "payout__merchant"),
    "records.balancerecord": ("merchant",),
    "records.balancetransfer": ("source_merchant", "destination_merchant"),
    "records.manualfreeze": ("merchant_channel__merchant",),
    "records.notification": ("merchant",),
    "records.notificationattempt": ("notification__merchant",),
    "records.case": ("merchant",),
    # What shows that a deposit came is between us and the upstream.
    "records.proof": ("payout__merchant",),
    "records.chainpayment": ("payment__merchant",),
    "records.chaintransfer": ("payment__merchant",),
    "records.chainquote": ("chain_payment__payment__merchant",),
    "records.orderdelta": ("merchant",),
    "records.orderhourtotal": ("merchant",),
    "records.orderdaytotal": ("merchant",),
    "records.ordertotal": ("merchant",),
    "records.amounttotal": ("merchant",),
    "operations.batchpayout": ("merchant",),
    "operations.batchpayoutrow": ("merchant",),
    "operations.returnedfile": ("merchant",),
}
# Reference data that names nobody.
_OPEN = frozenset(
    {
        "channels.currency",
        "channels.servicetype",
        "channels.requiredfield",
        "channels.service",
        "channels.bank",
        "channels.chain",
        "channels.token",
    }
)
# The platform's own: no merchant's member sees any of it.
_HIDDEN = frozenset(
    {
        "channels.channel",
        "channels.channelservice",
        "channels.exchangerate",
        "merchants.signedcall",
        "records.upstreamcallback",
        "records.chaincursor",
        "records.chainkey",
        "records.platformtotal",
        "records.summarytotal",
        "records.accountdelta",
        "records.accounttotal",
        "operations.act",
        "operations.approvalrule",
        "operations.formtoken",
        "diamondpay.auditrow",
        "diamondpay.heartbeat",
        "diamondpay.user",
        "diamondpay.signin",
        "diamondpay.tries",
        "diamondpay.rolerule",
        "auth.group",
        "auth.permission",
    }
)
# What belongs to a person and not to a merchant: whose it is. Nobody but a superuser sees another's.
_OWN = {
    "diamondpay.savedview": "owner",
    "diamondpay.preference": "user",
    "diamondpay.secondfactor": "user",
    "diamondpay.recoverycode": "user",
    "records.exportjob": "requested_by",
    "records.exporttemplate": "owner",
    "records.exportschedule": "owner",
}
# Members may look at what names their merchant, but for what lies between us and the upstreams; and do these.
_BEHIND = frozenset(
    {
        "records.upstreamcall",
        "records.payoutattempt",
        "records.posting",
        "records.case",
        "records.chaintransfer",
        "merchants.membership",
    }
)
_DEEDS_OF_MEMBERS = frozenset(
    {
        "operations.operation_payment_write",
        "operations.operation_payout_write",
        "operations.close_payment",
        "operations.resend_notification",
        "operations.resend_failed_notifications",
        "merchants.rotate_own_credential",
        "merchants.change_own_allowedaddress",
        "merchants.test_own_callback",
    }
)


def visible_to(
    user: User | AnonymousUser,
    queryset: QuerySet[Row],
    *,
    ask: Callable[[User | AnonymousUser], list[str] | None] | None = None,
) -> QuerySet[Row]:
    """Return the rows of the queryset that this person may see.

    `ask` stands for `merchants_of`: a page that asks a dozen times passes one that remembers the answer.

    A member of merchants sees their rows and nothing else, superuser or not; staff without a membership
    and superusers see all, and whether they may open the page is the model permission's matter.
    Raises: LookupError for a model that nobody has placed in this module, rather than showing all of it.
    """
    label = queryset.model._meta.label_lower
    if label not in _PATHS and label not in _OPEN and label not in _HIDDEN and label not in _OWN:
        raise LookupError(f"merchants.access does not know where {label} names its merchant")
    merchant_ids = (ask or merchants_of)(user)
    if label in _OWN:
        if not isinstance(user, User) or not user.is_active:
            return queryset.none()
        sees_all = user.is_superuser and merchant_ids is None
        return queryset if sees_all else queryset.filter(**{_OWN[label]: user})
    if merchant_ids is None:
        return queryset
    if label in _OPEN:
        return queryset if isinstance(user, User) and user.is_active else queryset.none()
    if not merchant_ids or label in _HIDDEN:
        return queryset.none()
    # Ids in the statement and no subquery: a list of one merchant then reads its index in order.
    condition = Q()
    for path in _PATHS[label]:
        condition |= Q(**{f"{path}__in": merchant_ids})
    return queryset.filter(condition)


def confined_to(user: Any) -> list[str] | None:
    """Return what `merchants_of` says, asked once for a user object: that of a request lives no longer."""
    if not hasattr(user, "confined_to"):
        user.confined_to = _confinement(user, _read_once(user)) if _is_somebody(user) else []
    found: list[str] | None = user.confined_to
    return found


def roles_of(user: User) -> list[Group]:
    """Return the roles that the user holds, by name; asked once for a user object."""
    return _read_once(user)[1]


def is_member(user: User) -> bool:
    """Say whether the user acts for a merchant; asked once for a user object."""
    return confined_to(user) is not None


def is_open_to_members(label: str) -> bool:
    """Say whether a merchant's member may hold a permission, written `app.codename`.

    All that is not open is the platform's: a new permission is closed to members until somebody opens it.
    """
    if label in _DEEDS_OF_MEMBERS:
        return True
    app, _dot, codename = label.partition(".")
    action, _line, name = codename.partition("_")
    model = f"{app}.{name}"
    if model in _OWN:
        return action in ("view", "add", "change", "delete")
    return action == "view" and (model in _OPEN or (model in _PATHS and model not in _BEHIND))


def merchants_of(user: User | AnonymousUser | Any) -> list[str] | None:
    """Return the ids of the merchants whose rows the user is confined to; None means that nothing confines.

    An empty list is somebody who sees nothing: not signed in, switched off, not staff, or a merchant's
    user whose membership was taken away.
    """
    return _confinement(user, _belongings(user)) if _is_somebody(user) else []


def _is_somebody(user: Any) -> TypeGuard[User]:
    return isinstance(user, User) and bool(user.is_active)


def _confinement(user: User, belongings: Belongings) -> list[str] | None:
    merchant_ids, roles = belongings
    if merchant_ids:
        return merchant_ids
    if user.is_superuser:
        return None
    return None if user.is_staff and all(role.name != MERCHANT_ROLE for role in roles) else []


def _read_once(user: Any) -> Belongings:
    if not hasattr(user, "belongings"):
        user.belongings = _belongings(user)
    found: Belongings = user.belongings
    return found


def _belongings(user: User) -> Belongings:
    """Read the merchants whom the user acts for and the roles they hold, both in order of their names."""
    found = sql.rows(_BELONGINGS, {"user": user.pk})
    merchant_ids = [merchant_id for merchant_id, role_id, _name in found if role_id is None]
    roles = [Group(pk=role_id, name=name) for _merchant_id, role_id, name in found if role_id is not None]
    return sorted(merchant_ids), roles
