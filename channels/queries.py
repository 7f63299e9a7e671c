"""Questions about services, their required fields, and banks."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models import Bank, RequiredField, Service
from diamondpay.lib import errors, sql

_FIELD = sql.Columns(RequiredField, table="field")
_FIELDS = f"""
    SELECT {_FIELD} FROM channels_requiredfield AS field
    WHERE service_type_id = %(service_type)s AND direction = %(direction)s ORDER BY position, id
"""  # noqa: S608 - our own names


def open_service(service_id: str) -> Service:
    """Return an open service with its type and currency.

    Raises: ServiceUnknown, ServiceClosed.
    """
    try:
        found = Service.objects.select_related("service_type", "currency").get(pk=service_id)
    except Service.DoesNotExist:
        raise errors.ServiceUnknown from None
    if found.status != Service.Status.OPEN:
        raise errors.ServiceClosed
    return found


def bank(*, text: str, currency: str) -> Bank:
    """Return the open bank that the text names by id, code or name, upper or lower case.

    Raises: BankUnknown.
    """
    wanted = text.strip()
    named = Q(pk__iexact=wanted) | Q(code__iexact=wanted) | Q(name__iexact=wanted)
    found = list(Bank.objects.filter(named, currency=currency, is_open=True).order_by("pk"))
    # Of two banks that share a word, the one whose id or code it is, is meant.
    found.sort(key=lambda candidate: wanted.upper() not in (candidate.pk, candidate.code.upper()))
    if not found:
        raise errors.BankUnknown(_("This bank does not exist, or not for this currency."))
    return found[0]


def fields_of(found: Service) -> list[RequiredField]:
    """Return what orders of the service are asked for, in the order of the form; optional ones too."""
    asked = {"service_type": found.service_type_id, "direction": found.direction}
    return [_FIELD.take(row) for row in sql.rows(_FIELDS, asked)]


def missing_fields(
    *, service: Service, given: Mapping[str, str], is_over_api: bool
) -> dict[str, errors.Words]:
    """Return every required field that is empty, with the words to tell, in the order of the form.

    Shapes: `given` by RequiredField.Field value. An empty answer means that nothing is missing.
    Source: backoffice.md, Required fields by service type.
    """
    missing: dict[str, errors.Words] = {}
    for declared in fields_of(service):
        is_required = declared.is_required_over_api if is_over_api else declared.is_required_in_forms
        if is_required and not given.get(declared.field, "").strip():
            missing[declared.field] = _("This service requires it.")
    last_number = RequiredField.Field.LAST_NUMBER.value
    if service.requires_last_number and not given.get(last_number, "").strip():
        missing.setdefault(last_number, _("This service requires it."))
    return missing
