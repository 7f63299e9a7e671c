"""Pages that ask for acts on a wallet's balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from diamondpay.models import User
from merchants.models import MerchantChannel
from operations.act_pages import Asked, Change
from operations.models import Act
from operations.request_pages import AmountForm, request_page
from records import filters, ledger
from records.admin import parts
from records.models import Account


def wallet(user: User, object_id: str, is_locked: bool) -> MerchantChannel | None:
    """Return a wallet that the person may see."""
    rows = MerchantChannel.objects.select_related("merchant", "channel", "currency")
    if is_locked:
        # Orders that are being placed refer to the wallet: they must not wait.
        rows = rows.select_for_update(of=("self",), no_key=True)
    return filters.visible_to(user, rows).filter(pk=object_id.upper()).first()


def wallet_of(obj: Any) -> Any:
    """Return the wallet's number of a wallet or of one of its accounts."""
    return obj.merchant_channel_id if isinstance(obj, Account) else obj.pk


def facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
    """Return what a person must know of a wallet."""
    found: MerchantChannel = asked.obj
    available, frozen = ledger.balances([found.pk])[found.pk]
    return (
        (_("wallet"), parts.number(found.pk)),
        (_("merchant"), str(found.merchant)),
        (_("channel"), found.channel_id),
        (_("available"), parts.amount(available, found.currency)),
        (_("frozen"), parts.amount(frozen, found.currency)),
    )


def moved(
    found: MerchantChannel, *, available: Decimal = Decimal(0), frozen: Decimal = Decimal(0), whose: str = ""
) -> list[Change]:
    """Return what a wallet's balances are and will be. They move by themselves, so they bind nobody."""
    before = ledger.balances([found.pk])[found.pk]
    labels = (_t("%sAvailable balance"), _t("%sFrozen balance"))
    return [
        Change(
            label=label % (f"{whose}: " if whose else ""),
            before=parts.amount(now, found.currency),
            after=parts.amount(now + delta, found.currency),
            is_binding=False,
        )
        for label, now, delta in zip(labels, before, (available, frozen), strict=True)
        if delta
    ]


class AdjustForm(AmountForm):
    """How much is added, or taken with a minus."""

    is_signed = True


def _adjusted(found: MerchantChannel, evidence: Mapping[str, str]) -> list[Change]:
    return moved(found, available=Decimal(evidence["amount"]))


def _amount(asked: Asked) -> dict[str, str]:
    return {"amount": f"{asked.values['amount']:f}"}


def _button(words: Any) -> Any:
    return lambda asked: (
        words
        % {
            "amount": parts.plain_amount(asked.values["amount"], asked.obj.currency),
            "unit": asked.obj.currency_id,
        }
    )


request_page(
    kind=Act.Kind.ADJUST_BALANCE, label=_("Adjust balance"), object_kind="merchant_channel",
    load=wallet, before_after=_adjusted, evidence_of=_amount, form_class=AdjustForm, facts=facts,
    button=_button(_("Ask to adjust by %(amount)s %(unit)s")), models=(MerchantChannel, Account),
    key_of=wallet_of,
)  # fmt: skip
