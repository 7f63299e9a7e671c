"""Pages that ask for acts on a wallet's balance: adjust, supplement, freeze, unfreeze, transfer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from merchants.models import MerchantChannel
from operations.act_pages import Asked
from operations.models import Act
from operations.request_pages import AmountForm, amount_button, amount_evidence, request_page
from records import filters, ledger
from records.admin import parts
from records.models import Account, ManualFreeze

Kind = Act.Kind
_WALLETS = (MerchantChannel, Account)


def wallet_of(obj: Any) -> Any:
    """Return the wallet's number of a wallet or of one of its accounts."""
    return obj.merchant_channel_id if isinstance(obj, Account) else obj.pk


def wallet_facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
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


class AdjustForm(AmountForm):
    """How much is added, or taken with a minus."""

    is_signed = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].help_text = _("Positive adds to the available balance, a minus takes from it.")

    def clean_amount(self) -> Any:
        """Refuse to take more than there is."""
        return _within(self, super().clean_amount(), sign=-1)


class TakeForm(AmountForm):
    """An amount that leaves the available balance."""

    def clean_amount(self) -> Any:
        """Refuse to take more than there is."""
        return _within(self, super().clean_amount(), sign=1)


def _within(form: AmountForm, amount: Any, *, sign: int) -> Any:
    """Refuse an amount that the available balance does not cover now; the posting itself decides later."""
    found = form.asked.obj
    available, _frozen = ledger.balances([found.pk])[found.pk]
    if amount * sign > available:
        raise ValidationError(
            _("The available balance is %(amount)s %(unit)s."),
            params={"amount": parts.plain_amount(available, found.currency), "unit": found.currency_id},
        )
    return amount


class TransferForm(TakeForm):
    """To which wallet of another merchant how much is moved."""

    destination = forms.CharField(
        label=_("To wallet"), max_length=20,
        help_text=_("The number of another merchant's wallet in the same currency, such as PFC00000142."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["destination", "amount"])

    def clean_destination(self) -> str:
        """Find the wallet within what the person may see; another merchant's, of the same currency."""
        source: MerchantChannel = self.asked.obj
        named = self.cleaned_data["destination"].strip().upper()
        found = filters.visible_to(self.asked.user, MerchantChannel.objects.all()).filter(pk=named).first()
        if found is None:
            raise ValidationError(_("There is no such wallet."))
        if found.merchant_id == source.merchant_id:
            raise ValidationError(_("A transfer needs two different merchants."))
        if found.currency_id != source.currency_id:
            raise ValidationError(
                _("That wallet is in %(other)s, this one in %(own)s."),
                params={"other": found.currency_id, "own": source.currency_id},
            )
        return str(found.pk)


def _transfer_evidence(asked: Asked) -> dict[str, str]:
    return {**amount_evidence(asked), "destination": asked.values["destination"]}


def _is_of_wallet(obj: Any) -> bool:
    return wallet_of(obj) is not None


for _kind, _label, _form, _words in (
    (Kind.ADJUST_BALANCE, _("Adjust balance"), AdjustForm, _("Ask to adjust by %(amount)s %(unit)s")),
    (
        Kind.SUPPLEMENT_BALANCE, _("Supplement balance"), AdjustForm,
        _("Ask for a supplement of %(amount)s %(unit)s"),
    ),
    (Kind.FREEZE_BALANCE, _("Freeze"), TakeForm, _("Ask to freeze %(amount)s %(unit)s")),
):  # fmt: skip
    request_page(
        kind=_kind, label=_label, object_kind="merchant_channel", evidence_of=amount_evidence,
        form_class=_form, facts=wallet_facts, button=amount_button(_words), models=_WALLETS,
        key_of=wallet_of, fits=_is_of_wallet,
    )  # fmt: skip

request_page(
    kind=Kind.TRANSFER_BALANCE, label=_("Transfer"), object_kind="merchant_channel",
    evidence_of=_transfer_evidence, form_class=TransferForm, facts=wallet_facts,
    button=amount_button(_("Ask to transfer %(amount)s %(unit)s")), models=_WALLETS, key_of=wallet_of,
    fits=_is_of_wallet,
)  # fmt: skip


def _freeze_facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
    found: ManualFreeze = asked.obj
    return (
        (_("freeze"), parts.number(found.request_id)),
        (_("wallet"), parts.number(found.merchant_channel_id)),
        (_("merchant"), str(found.merchant_channel.merchant)),
        (_("amount"), parts.amount(found.amount, found.currency)),
        (_("frozen since"), parts.moment(found.created_at)),
        (_("why"), found.reason),
    )


def _unfreeze_button(asked: Asked) -> str:
    found: ManualFreeze = asked.obj
    amount = parts.plain_amount(found.amount, found.currency)
    return _t("Ask to unfreeze %(amount)s %(unit)s") % {"amount": amount, "unit": found.currency_id}


request_page(
    kind=Kind.UNFREEZE_BALANCE, label=_("Unfreeze"), object_kind="manual_freeze", facts=_freeze_facts,
    button=_unfreeze_button, models=(ManualFreeze,), key_of=lambda freeze: freeze.request_id,
    is_single_step=True,
)  # fmt: skip
