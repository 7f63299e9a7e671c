"""“Reproduce this order” on every order's page: the form of a new order, filled in as that one was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import acts
from operations import create_offer
from operations.create_kinds import KINDS, Kind


def _offered(kind: Kind, permission: str) -> Callable[[Any, Any], bool]:
    """Say whether an order is offered to holders of this permission; once where a person holds both."""
    _own, everywhere = kind.permissions

    def is_offered(user: Any, order: Any) -> bool:
        if not isinstance(order, kind.model) or (permission != everywhere and user.has_perm(everywhere)):
            return False
        return create_offer.may_create_for(user=user, direction=kind.direction, merchant_id=order.merchant_id)

    return is_offered


for _kind in KINDS:
    for _permission in _kind.permissions:
        acts.register(
            acts.Act(
                name=f"reproduce_{_permission.partition('.')[2]}",
                label=_("Reproduce this order"),
                permission=_permission,
                is_offered=_offered(_kind, _permission),
                url_name=f"admin:create_{_kind.name}_like",
                order=90,
            )
        )
