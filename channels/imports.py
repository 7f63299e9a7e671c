"""What of this room is handed in as a file: banks."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from channels.models import Bank
from diamondpay.lib.imports import pages
from diamondpay.lib.imports.resources import StaffResource


class BankResource(StaffResource):
    """Banks by their id. A bank keeps its currency, as on its own page."""

    fixed = {"currency": _("A bank keeps its currency. Make another bank for another currency.")}

    class Meta:
        model = Bank
        fields = import_order = export_order = ("id", "code", "name", "currency", "link", "is_open")
        import_id_fields = ("id",)


BANKS = pages.Import(kind="bank", resource=BankResource)
pages.add(BANKS)
