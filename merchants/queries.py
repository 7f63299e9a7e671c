"""Questions about a merchant: is it served, what has it activated, which wallets."""

from __future__ import annotations

from channels import queries as channel_queries
from channels.models import Currency, Service
from diamondpay.lib import errors, sql
from merchants.models import Merchant, MerchantChannel, MerchantService

# More merchants than this are found by typing, not by scrolling.
CHOICE_MAX = 200
_TERMS = sql.Columns(MerchantService, table="terms")
_SERVICE = sql.Columns(Service, table="service", at=_TERMS.end)
_CURRENCY = sql.Columns(Currency, table="currency", at=_SERVICE.end)
_ACTIVATED = f"""
    SELECT {_TERMS}, {_SERVICE}, {_CURRENCY}
    FROM merchants_merchantservice AS terms
    JOIN channels_service AS service ON service.id = terms.service_id
    JOIN channels_currency AS currency ON currency.code = service.currency_id
    WHERE terms.merchant_id = %(merchant)s AND terms.service_id = %(service)s
"""  # noqa: S608 - our own names


def active_merchant(merchant_id: str) -> Merchant | None:
    """Return the merchant, None when there is none of this id.

    Raises: MerchantDisabled.
    """
    merchant = Merchant.objects.filter(pk=merchant_id).first()
    if merchant is not None and merchant.status != Merchant.Status.ACTIVE:
        raise errors.MerchantDisabled
    return merchant


def activated_service(*, merchant: Merchant, service_id: str) -> MerchantService:
    """Return the merchant's terms of an open service, with the service and its currency.

    Raises: ServiceUnknown, ServiceClosed, ServiceNotActivated, in this order.
    """
    found = _terms(merchant, service_id)
    if found is None or found.service.status != Service.Status.OPEN:
        channel_queries.open_service(service_id)
    if found is None or found.status != MerchantService.Status.ENABLED:
        raise errors.ServiceNotActivated
    return found


def _terms(merchant: Merchant, service_id: str) -> MerchantService | None:
    for row in sql.rows(_ACTIVATED, {"merchant": merchant.pk, "service": service_id}):
        terms, service, currency = _TERMS.take(row), _SERVICE.take(row), _CURRENCY.take(row)
        terms.merchant, terms.service, service.currency = merchant, service, currency
        return terms
    return None


def wallets_of(merchant: Merchant) -> list[MerchantChannel]:
    """Return the merchant's wallets with channel and currency, by id; disabled ones too."""
    return list(
        MerchantChannel.objects.filter(merchant=merchant).select_related("channel", "currency").order_by("pk")
    )
