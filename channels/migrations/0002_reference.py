"""Load the reference data as first shipped; it is edited in the back office from then on."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from channels import reference, reference_banks


def load(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Insert currencies, service types, required fields, services and banks on the connection that migrates."""
    using = schema_editor.connection.alias

    def insert(model_name: str, rows: list[dict[str, object]]) -> None:
        model = apps.get_model("channels", model_name)
        model.objects.using(using).bulk_create([model(**row) for row in rows])

    insert(
        "Currency",
        [
            {"code": code, "name": name, "exponent": exponent, "is_crypto": is_crypto}
            for code, name, exponent, is_crypto in reference.CURRENCIES
        ],
    )
    insert("ServiceType", [{"code": code, "name": name} for code, name in reference.SERVICE_TYPES])
    insert(
        "RequiredField",
        [
            {
                "service_type_id": service_type,
                "direction": direction,
                "field": wanted.field,
                "is_required_in_forms": wanted.in_forms,
                "is_required_over_api": wanted.over_api,
                "position": position,
            }
            for (service_type, direction), fields in reference.REQUIRED_FIELDS.items()
            for position, wanted in enumerate(fields, start=1)
        ],
    )
    insert(
        "Service",
        [
            {
                "id": offer.id,
                "name": offer.name,
                "direction": offer.direction,
                "service_type_id": offer.service_type,
                "currency_id": offer.currency,
                "has_receiver": offer.has_receiver,
            }
            for offer in reference.SERVICES
        ],
    )
    insert(
        "Bank",
        [
            {"id": bank_id, "code": code, "name": name, "currency_id": currency, "link": link}
            for bank_id, code, name, currency, link in reference_banks.rows()
        ],
    )


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0001_initial"),
        # Its triggers open the system accounts of each currency.
        ("records", "0002_rules"),
    ]

    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
