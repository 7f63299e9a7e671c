"""Bring the chains, their tokens, and the services that are paid over them."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from channels import reference_chains as reference


def load(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Add what is missing and leave what people have made."""
    using = schema_editor.connection.alias
    chain, token = apps.get_model("channels", "Chain"), apps.get_model("channels", "Token")
    for chain_id, code, name, symbol, confirmations, network_id, status in reference.CHAINS:
        chain.objects.using(using).create(
            chain_id=chain_id, code=code, name=name, symbol=symbol, confirmations=confirmations,
            network_id=network_id, status=status,
        )  # fmt: skip
    for chain_id, name, symbol, address, decimals, currency in reference.TOKENS:
        token.objects.using(using).create(
            chain_id=chain_id, name=name, symbol=symbol, address=address, decimals=decimals,
            currency_id=currency,
        )  # fmt: skip
    code, name = reference.SERVICE_TYPE
    apps.get_model("channels", "ServiceType").objects.using(using).get_or_create(
        code=code, defaults={"name": name}
    )
    for offer in reference.SERVICES:
        apps.get_model("channels", "Service").objects.using(using).get_or_create(
            id=offer.id,
            defaults={
                "name": offer.name,
                "direction": offer.direction,
                "service_type_id": offer.service_type,
                "currency_id": offer.currency,
                "payment_method": "Blockchain",
                "expiry_seconds": reference.EXPIRY_SECONDS,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("channels", "0046_chains")]

    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
