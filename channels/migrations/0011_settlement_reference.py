"""Say how each service is paid, and bring what the transaction-request API needs: MTC, HKD and HKD services."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from channels import reference


def load(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Add what is missing and leave what people have edited since the first load."""
    using = schema_editor.connection.alias
    service = apps.get_model("channels", "Service")
    currency = apps.get_model("channels", "Currency")
    for code, name, exponent, is_crypto in reference.CURRENCIES:
        if code in reference.SETTLEMENT_CURRENCIES:
            columns = {"name": name, "exponent": exponent, "is_crypto": is_crypto}
            currency.objects.using(using).get_or_create(code=code, defaults=columns)
    service_type, _created = (
        apps.get_model("channels", "ServiceType")
        .objects.using(using)
        .get_or_create(code="hkd-bank-card", defaults={"name": "HKD bank card"})
    )
    for direction, fields in reference.HKD_REQUIRED_FIELDS.items():
        for position, wanted in enumerate(fields, start=1):
            apps.get_model("channels", "RequiredField").objects.using(using).get_or_create(
                service_type=service_type,
                direction=direction,
                field=wanted.field,
                defaults={
                    "is_required_in_forms": wanted.in_forms,
                    "is_required_over_api": wanted.over_api,
                    "position": position,
                },
            )
    for offer in reference.HKD_SERVICES:
        service.objects.using(using).get_or_create(
            id=offer.id,
            defaults={
                "name": offer.name,
                "direction": offer.direction,
                "service_type": service_type,
                "currency_id": offer.currency,
                "has_receiver": offer.has_receiver,
            },
        )
    for method, service_ids in reference.PAYMENT_METHODS.items():
        service.objects.using(using).filter(pk__in=service_ids, payment_method="").update(
            payment_method=method
        )


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0010_exchange_rates"),
        # Its triggers open the system accounts of a new currency.
        ("records", "0004_short_locks"),
    ]

    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
