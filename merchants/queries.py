"""Questions about a merchant: is it served, what has it activated, which wallets, from where may it call."""

from __future__ import annotations

from channels import queries as channel_queries
from channels.models import Service
from diamondpay.lib import addresses, errors
from merchants.models import AllowedAddress, Merchant, MerchantChannel, MerchantService


def active_merchant(merchant_id: str) -> Merchant | None:
    """Return the merchant, None when there is none of this id.

    Raises: MerchantDisabled.
    """
    merchant = Merchant.objects.filter(pk=merchant_id).first()
    if merchant is not None and merchant.status != Merchant.Status.ACTIVE:
        raise errors.MerchantDisabled
    return merchant


def activated_service(*, merchant: Merchant, service_id: str) -> MerchantService:
    """Return the merchant's terms of an open service, with the service, its type and its currency.

    Raises: ServiceUnknown, ServiceClosed, ServiceNotActivated, in this order.
    """
    rows = MerchantService.objects.select_related("service__service_type", "service__currency")
    found = rows.filter(merchant=merchant, service_id=service_id).first()
    if found is None or found.service.status != Service.Status.OPEN:
        channel_queries.open_service(service_id)
    if found is None or found.status != MerchantService.Status.ENABLED:
        raise errors.ServiceNotActivated
    found.merchant = merchant
    return found


def wallets_of(merchant: Merchant) -> list[MerchantChannel]:
    """Return the merchant's wallets with channel and currency, by id; disabled ones too."""
    return list(
        MerchantChannel.objects.filter(merchant=merchant).select_related("channel", "currency").order_by("pk")
    )


def is_address_allowed(*, merchant: Merchant, address: str | None) -> bool:
    """Say whether the merchant may call from the address; with nothing on its list, from anywhere."""
    networks = list(AllowedAddress.objects.filter(merchant=merchant).values_list("network", flat=True))
    return not networks or addresses.in_networks(address, networks)
