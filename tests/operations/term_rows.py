"""Rows with terms: as one person makes them, and in force."""

from __future__ import annotations

from typing import Any

from django.db import models

from channels.models import Channel, ChannelService
from merchants.models import MerchantService, ServiceBound
from tests import factories
from tests.support.desk import Desk


def not_in_force(desk: Desk, model: type[models.Model], number: int = 0) -> Any:
    """Return a new row with terms as one person makes it: nothing runs on it."""
    service = ("SVC0005", "SVC0006")[number]
    if model is Channel:
        return Channel.objects.create(
            code=f"fresh-{number}", name="Fresh", upstream="scripted", currency_id="CNY",
            payment_upper_bound=500,
        )  # fmt: skip
    where: dict[type[models.Model], dict[str, Any]] = {
        MerchantService: {"merchant": desk.registered.merchant, "fee_permillage": 6},
        ServiceBound: {"merchant_channel": desk.wallet, "upper_bound": 500},
        ChannelService: {"channel_id": "scripted", "upper_bound": 500},
    }
    return model._default_manager.create(service_id=service, **where[model])


def in_force(desk: Desk, model: type[models.Model]) -> Any:
    """Return one more row that is in force."""
    if model is ServiceBound:
        return factories.bound_service(desk.wallet, "SVC0004", 1, 900)
    if model is Channel:
        return factories.make_channel("more", upstream="scripted")
    if model is ChannelService:
        return factories.carry_service("scripted", "SVC0010")
    return factories.activate_service(desk.registered.merchant, "SVC0010")
