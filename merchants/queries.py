"""Questions about a merchant: is it served, what has it activated, which wallets."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from channels import queries as channel_queries
from channels.models import Currency, Service
from diamondpay.lib import errors, sql
from merchants.models import Merchant, MerchantChannel, MerchantService

# More merchants than this are found by typing, not by scrolling; so many of what begins so are offered.
CHOICE_MAX, _FOUND_MAX = 200, 50
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantChoice:
    """What a form offers of the merchants that somebody may take: all of `few`, or, where they are more, a
    line to type in and what was `found` for it as long as none is chosen.
    """

    few: tuple[Merchant, ...] = ()
    found: tuple[Merchant, ...] = ()
    is_typed: bool = False
    chosen: Merchant | None = None

    @property
    def is_nobody(self) -> bool:
        """Whether there is none to take."""
        return not self.few and not self.is_typed


def choose_merchant(allowed: QuerySet[Merchant], text: str) -> MerchantChoice:
    """Return what a form offers of the allowed merchants when `text` was chosen or typed; the only one is
    chosen where nothing was.
    """
    wanted = text.strip()
    few = tuple(allowed[: CHOICE_MAX + 1])
    chosen = allowed.filter(pk=wanted.upper()).first() if wanted and wanted.isprintable() else None
    if len(few) <= CHOICE_MAX:
        is_only = not wanted and len(few) == 1
        return MerchantChoice(few=few, chosen=few[0] if is_only else chosen)
    found = _beginning_with(allowed, wanted)[:_FOUND_MAX] if chosen is None else ()
    return MerchantChoice(is_typed=True, chosen=chosen, found=tuple(found))


def _beginning_with(merchants: QuerySet[Merchant], text: str) -> QuerySet[Merchant]:
    if not text.isprintable():
        return merchants.none()
    return merchants.filter(Q(pk__istartswith=text) | Q(name__istartswith=text))


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
