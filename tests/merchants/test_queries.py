"""Questions about a merchant."""

from __future__ import annotations

import pytest

from channels.models import Service
from diamondpay.lib import errors
from merchants import queries
from merchants.models import Merchant, MerchantService
from merchants.registration import Registered


def test_an_activated_service_comes_with_its_terms(acme: Registered) -> None:
    found = queries.activated_service(merchant=acme.merchant, service_id="SVC0004")
    assert (found.service_id, found.service.currency.exponent) == ("SVC0004", 2)


def test_a_service_that_does_not_exist_is_unknown(acme: Registered) -> None:
    with pytest.raises(errors.ServiceUnknown):
        queries.activated_service(merchant=acme.merchant, service_id="SVC9999")


def test_a_closed_service_is_closed_for_everybody(acme: Registered) -> None:
    Service.objects.filter(pk="SVC0001").update(status="closed")
    with pytest.raises(errors.ServiceClosed):
        queries.activated_service(merchant=acme.merchant, service_id="SVC0001")


def test_a_service_must_be_activated_and_enabled(acme: Registered) -> None:
    with pytest.raises(errors.ServiceNotActivated):
        queries.activated_service(merchant=acme.merchant, service_id="SVC0022")
    MerchantService.objects.filter(merchant=acme.merchant, service="SVC0001").update(status="disabled")
    with pytest.raises(errors.ServiceNotActivated):
        queries.activated_service(merchant=acme.merchant, service_id="SVC0001")


def test_a_disabled_merchant_is_told_so(acme: Registered) -> None:
    assert queries.active_merchant(acme.merchant.pk) == acme.merchant
    assert queries.active_merchant("PF9999") is None
    Merchant.objects.update(status="disabled")
    with pytest.raises(errors.MerchantDisabled):
        queries.active_merchant(acme.merchant.pk)


def test_wallets_come_by_id(acme: Registered) -> None:
    assert [wallet.pk for wallet in queries.wallets_of(acme.merchant)] == [acme.wallets[0].pk]
