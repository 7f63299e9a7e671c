"""What of this room is handed in as a file: activated services with their terms, and limits of wallets.

New rows are not in force, whoever hands them in: their first activation is an act of two people, and until
then a file may change their terms. A file that would change terms in force is refused, row by row, with the
name of the act by which a second person approves it.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import admin_terms, in_force, terms
from diamondpay.lib.errors import Words
from diamondpay.lib.imports import pages
from diamondpay.lib.imports.resources import StaffResource
from merchants.models import MerchantService, ServiceBound

_IS_AN_ACT = _(
    "Terms that stand are changed by an act that a second person approves: open the row's own page."
    " Leave the cell empty, or as it is."
)
_NOTE = _(
    "New rows bring their fees and limits and arrive disabled: a second person decides their first"
    " activation, which is asked for afterwards, for all of them at once or for each. Terms in force are"
    " changed by an act with approval."
)
_MADE_NOTE = _("The new rows are not in force: their first activation is decided by a second person.")
_TERMS = (
    "fee_type",
    "fee_permillage",
    "fee_fixed",
    "single_limit_lower_bound",
    "single_limit_upper_bound",
    "after_failure",
)


class MerchantServiceResource(StaffResource):
    """Activated services by merchant and service: new ones with their terms, the state of those that are."""

    fixed = dict.fromkeys(_TERMS, _IS_AN_ACT)

    def fixed_of(self, row: MerchantService) -> Mapping[str, Words]:
        """Return the terms, once they are in force."""
        return {} if row.terms_since is None else self.fixed

    class Meta:
        model = MerchantService
        fields = import_order = export_order = (
            "merchant", "service", "status", "fee_type", "fee_permillage", "fee_fixed",
            "single_limit_lower_bound", "single_limit_upper_bound", "after_failure",
        )  # fmt: skip
        import_id_fields = ("merchant", "service")

    def faults(self, row: MerchantService) -> terms.Faults:
        """Return fees of 100 % and more, limits that are reversed or below 0, and a state before its time."""
        values = vars(row)
        found = terms.fee(values) | terms.bounds(
            values, "single_limit_lower_bound", "single_limit_upper_bound"
        )
        if row.terms_since is None and row.status != MerchantService.Status.DISABLED:
            found["status"] = in_force.NOT_IN_FORCE
        return found


class ServiceBoundResource(StaffResource):
    """Limits of a service on a wallet, by both: new ones."""

    fixed = {"lower_bound": _IS_AN_ACT, "upper_bound": _IS_AN_ACT}

    def fixed_of(self, row: ServiceBound) -> Mapping[str, Words]:
        """Return the bounds, once they are in force."""
        return {} if row.terms_since is None else self.fixed

    class Meta:
        model = ServiceBound
        fields = import_order = export_order = (
            "merchant_channel", "service", "lower_bound", "upper_bound",
        )  # fmt: skip
        import_id_fields = ("merchant_channel", "service")

    def faults(self, row: ServiceBound) -> terms.Faults:
        """Return bounds that are reversed or below 0."""
        return terms.bounds(vars(row), "lower_bound", "upper_bound")


SERVICES = pages.Import(
    kind="merchantservice", resource=MerchantServiceResource, note=_NOTE, made_note=_MADE_NOTE,
    made_query="in_force=0", many_page=admin_terms.ASK_MANY.format("merchantservice"),
    many_permissions=admin_terms.MAY_ASK, many_rows_max=in_force.ASKED_AT_ONCE_MAX,
)  # fmt: skip
BOUNDS = pages.Import(
    kind="servicebound", resource=ServiceBoundResource, note=_NOTE, made_note=_MADE_NOTE,
    made_query="in_force=0", many_page=admin_terms.ASK_MANY.format("servicebound"),
    many_permissions=admin_terms.MAY_ASK, many_rows_max=in_force.ASKED_AT_ONCE_MAX,
)  # fmt: skip
for _wanted in (SERVICES, BOUNDS):
    pages.add(_wanted)
