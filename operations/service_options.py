"""The wallets of a merchant as a form offers them, for all its services at once."""

from __future__ import annotations

from collections.abc import Sequence

from channels.models import ChannelService, Direction
from merchants.models import Merchant, MerchantChannel, MerchantService, ServiceBound
from operations import routing
from records.models import Account


def by_service(
    *, merchant: Merchant, activated: Sequence[MerchantService]
) -> dict[str, list[routing.Option]]:
    """Return what `routing.options` does for each of the activated services, by service id.

    Four queries, however many services and wallets there are.
    """
    service_ids = [terms.service_id for terms in activated]
    wallets = list(MerchantChannel.objects.filter(merchant=merchant).select_related("channel"))
    carried = ChannelService.objects.filter(
        service__in=service_ids, channel__in={wallet.channel_id for wallet in wallets}
    )
    by_channel = {(found.channel_id, found.service_id): found for found in carried}
    bounds = ServiceBound.objects.filter(
        merchant_channel__in=wallets, service__in=service_ids, terms_since__isnull=False
    )
    by_wallet = {(found.merchant_channel_id, found.service_id): found for found in bounds}
    accounts = Account.objects.filter(merchant_channel__in=wallets, kind=Account.Kind.AVAILABLE)
    available = dict(accounts.values_list("merchant_channel_id", "balance"))
    found_options: dict[str, list[routing.Option]] = {}
    for terms in activated:
        is_payout = terms.service.direction == Direction.PAYOUT
        offered = [
            routing.option_of(
                wallet=wallet,
                channel_service=by_channel.get((wallet.channel_id, terms.service_id)),
                merchant_service=terms,
                service=terms.service,
                service_bound=by_wallet.get((wallet.pk, terms.service_id)),
                available=available.get(wallet.pk) if is_payout else None,
            )
            for wallet in wallets
        ]
        found_options[terms.service_id] = sorted(offered, key=routing.preference)
    return found_options
