"""What of this room is handed in as a file: activated services with their terms, and limits of wallets.

Terms are typed once, by hand or by file; a file that would change one is refused, row by row, with the name
of the act by which a second person approves it.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import terms
from diamondpay.lib.imports import pages
from diamondpay.lib.imports.resources import StaffResource
from merchants.models import MerchantService, ServiceBound

_IS_AN_ACT = _(
    "Fees and limits that stand are changed by an act that a second person approves: open the row's own page."
    " Leave the cell empty, or as it is."
)
_NOTE = _(
    "New rows bring their fees and limits; those of rows that stand are changed by an act with approval."
)
_TERMS = (
    "fee_type",
    "fee_permillage",
    "fee_fixed",
    "single_limit_lower_bound",
    "single_limit_upper_bound",
)


class MerchantServiceResource(StaffResource):
    """Activated services by merchant and service: new ones with their terms, the state of those that are."""

    fixed = dict.fromkeys(_TERMS, _IS_AN_ACT)

    class Meta:
        model = MerchantService
        fields = import_order = export_order = (
            "merchant", "service", "status", "fee_type", "fee_permillage", "fee_fixed",
            "single_limit_lower_bound", "single_limit_upper_bound", "after_failure",
        )  # fmt: skip
        import_id_fields = ("merchant", "service")

    def faults(self, row: MerchantService) -> terms.Faults:
        """Return fees of 100 % and more, and limits that are reversed or below 0."""
        values = vars(row)
        return terms.fee(values) | terms.bounds(
            values, "single_limit_lower_bound", "single_limit_upper_bound"
        )


class ServiceBoundResource(StaffResource):
    """Limits of a service on a wallet, by both: new ones."""

    fixed = {"lower_bound": _IS_AN_ACT, "upper_bound": _IS_AN_ACT}

    class Meta:
        model = ServiceBound
        fields = import_order = export_order = (
            "merchant_channel", "service", "lower_bound", "upper_bound",
        )  # fmt: skip
        import_id_fields = ("merchant_channel", "service")

    def faults(self, row: ServiceBound) -> terms.Faults:
        """Return bounds that are reversed or below 0."""
        return terms.bounds(vars(row), "lower_bound", "upper_bound")


SERVICES = pages.Import(kind="merchantservice", resource=MerchantServiceResource, note=_NOTE)
BOUNDS = pages.Import(kind="servicebound", resource=ServiceBoundResource, note=_NOTE)
for _wanted in (SERVICES, BOUNDS):
    pages.add(_wanted)
