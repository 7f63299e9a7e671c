"""Pages that ask for acts on an order: supplement, refund, mark as failed, send again, review by two."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, ChannelService, Currency
from diamondpay.lib import money
from merchants.models import MerchantService, ServiceBound
from operations import acts, limits
from operations.act_pages import ActForm, Asked
from operations.models import Act
from operations.request_pages import AmountForm, amount_evidence, request_page
from records import filters, ledger, payments, proofs
from records.admin import parts
from records.models import Account, Payment, Payout, PayoutStatus

Kind = Act.Kind


def order_facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
    """Return what a person must know of an order."""
    order: Payment | Payout = asked.obj
    return (
        (_("status"), order.get_status_display()),
        (_("merchant"), str(order.merchant)),
        (_("merchant order no."), parts.number(order.merchant_order_no)),
        (_("service"), str(order.service)),
        (_("channel"), order.channel_id),
        (_("channel order no."), parts.number(order.channel_order_no)),
        (_("requested amount"), parts.amount(order.requested_amount, order.currency)),
        (_("actual amount"), parts.amount(order.actual_amount, order.currency)),
        (_("created"), parts.moment(order.created_at)),
        (_("completed"), parts.moment(order.completed_at)),
    )


def number_of(order: Payment | Payout) -> str:
    """Return the platform's number of an order."""
    return str(order)


def _proof_field(help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=_("Proof"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2}), help_text=help_text
    )


class ProvenForm(ActForm):
    """An act that needs a proof: in words, and one of the files that are kept with the order."""

    kept_proof = forms.ChoiceField(
        label=_("Kept proof"), required=False,
        help_text=_("A file that was uploaded to this order; the act names it with its SHA-256."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        visible = filters.visible_to(self.asked.user, proofs.without_content(self.asked.obj.proofs.all()))
        self._kept = {proof.proof_id: proof for proof in visible.order_by("-uploaded_at")}
        none_said = _t("No file; the words say where it is") if self._kept else _t("None is kept with it yet")
        choices = [(key, f"{proof.note[:60]} · {key}") for key, proof in self._kept.items()]
        self.fields["kept_proof"].choices = [("", none_said), *choices]  # type: ignore[attr-defined]

    def clean_kept_proof(self) -> str:
        """Return the proof as the evidence names it: its number and the SHA-256 of what is kept."""
        chosen = self._kept.get(self.cleaned_data["kept_proof"])
        return f"{chosen.proof_id} sha256:{chosen.sha256}" if chosen is not None else ""


def _proof_evidence(asked: Asked) -> dict[str, str]:
    kept = {"kept_proof": asked.values["kept_proof"]} if asked.values["kept_proof"] else {}
    return {"proof": asked.values["proof"], **kept}


class SupplementForm(ProvenForm, AmountForm):
    """What arrived that no callback told, by which number of the upstream, and how we know."""

    channel_order_no = forms.CharField(
        label=_("Upstream's order number"), max_length=64,
        help_text=_("As the upstream's statement has it."),
    )  # fmt: skip
    proof = _proof_field(_("Where the payment is proven: the statement and its line, a receipt's number."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        payment: Payment = self.asked.obj
        self.initial["amount"] = money.plain(payments.expected_amount(payment))
        self.initial["channel_order_no"] = payment.channel_order_no
        self.fields["amount"].help_text = _("What really arrived; the fee is taken from it.")

    def clean_channel_order_no(self) -> str:
        """Refuse another number than the upstream gave this order, and a number that belongs to another."""
        payment: Payment = self.asked.obj
        number: str = self.cleaned_data["channel_order_no"].strip()
        if payment.channel_order_no and number != payment.channel_order_no:
            raise ValidationError(
                _("The upstream gave this order the number %(number)s."),
                params={"number": payment.channel_order_no},
            )
        taken = Payment.objects.filter(channel=payment.channel_id, channel_order_no=number)
        if taken.exclude(pk=payment.pk).exists():
            raise ValidationError(_("This number belongs to another order."))
        return number


def _supplement_evidence(asked: Asked) -> dict[str, str]:
    values = asked.values
    return {
        **amount_evidence(asked), "channel_order_no": values["channel_order_no"], **_proof_evidence(asked),
    }  # fmt: skip


def _supplement_button(asked: Asked) -> str:
    amount = parts.plain_amount(asked.values["amount"], asked.obj.currency)
    return _t("Ask to supplement %(amount)s %(unit)s") % {"amount": amount, "unit": asked.obj.currency_id}


class RefundForm(ActForm):
    """Whether the payer's refund also takes back the platform's fee."""

    fee = forms.ChoiceField(
        label=_("Fee"),
        choices=(("keep", _("The platform keeps its fee")), ("return", _("The fee is returned too"))),
    )


def _refund_evidence(asked: Asked) -> dict[str, str]:
    return {"fee": asked.values["fee"]}


def _refund_button(asked: Asked) -> str:
    payment: Payment = asked.obj
    amount = parts.plain_amount(payment.actual_amount or Decimal(0), payment.currency)
    return _t("Ask to refund %(amount)s %(unit)s") % {"amount": amount, "unit": payment.currency_id}


class FailForm(ProvenForm):
    """How we know that the payout was not paid and will not be (P5)."""

    proof = _proof_field(
        _("Where it is proven that the upstream did not pay and will not: its letter, its statement.")
    )


def _fail_evidence(asked: Asked) -> dict[str, str]:
    return _proof_evidence(asked)


def _fail_button(asked: Asked) -> str:
    payout: Payout = asked.obj
    amount = parts.plain_amount(payout.debited_amount, payout.settlement_currency)
    return _t("Ask to mark as failed and release %(amount)s %(unit)s") % {
        "amount": amount, "unit": payout.settlement_currency_id,
    }  # fmt: skip


class ReinitiateForm(ActForm):
    """Over which channel the payout is sent again; each with its limits and what lies there."""

    channel = forms.ChoiceField(label=_("Channel"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channel"].choices = channels_for(self.asked)  # type: ignore[attr-defined]
        self.initial["channel"] = self.asked.obj.channel_id


def channels_for(asked: Asked) -> list[tuple[str, str]]:
    """Return the channels that carry a payout's service now, its own first, in words: limits and balance."""
    payout: Payout = asked.obj
    rows = ChannelService.objects.filter(
        service=payout.service_id, status=ChannelService.Status.ENABLED,
        channel__status=Channel.Status.ENABLED, channel__currency=payout.settlement_currency_id,
    ).select_related("channel")  # fmt: skip
    found = [
        row
        for row in filters.visible_to(asked.user, rows).order_by("-channel__weight", "channel")
        if _range(payout, row).contains(payout.requested_amount)
    ]
    found.sort(key=lambda row: row.channel_id != payout.channel_id)
    balances = _balances([row.channel_id for row in found], payout.settlement_currency)
    return [(row.channel_id, _words(payout, row, balances.get(row.channel_id))) for row in found]


def _range(payout: Payout, row: ChannelService) -> limits.Range:
    terms = MerchantService.objects.get(merchant=payout.merchant_id, service=payout.service_id)
    bound = ServiceBound.objects.filter(
        merchant_channel__merchant=payout.merchant_id, merchant_channel__channel=row.channel_id,
        service=payout.service_id, terms_since__isnull=False,
    ).first()  # fmt: skip
    bounds = limits.bounds_of(
        direction=payout.service.direction, channel=row.channel, channel_service=row, merchant_service=terms,
        service_bound=bound,
    )  # fmt: skip
    return limits.intersect(bounds, currency=payout.currency_id)


def _balances(channel_ids: list[str], currency: Currency) -> dict[str, Decimal]:
    """Return what each upstream owes us: its clearing account with the sign turned."""
    accounts = Account.objects.filter(kind=Account.Kind.CLEARING, channel__in=channel_ids, currency=currency)
    of_channel = dict(accounts.values_list("id", "channel_id"))
    figures = ledger.system_balances(of_channel)
    return {channel_id: -figures[account_id] for account_id, channel_id in of_channel.items()}


def _words(payout: Payout, row: ChannelService, balance: Decimal | None) -> str:
    lies = parts.plain_amount(balance, payout.settlement_currency) if balance is not None else "–"
    return _t("%(channel)s · limits: %(limits)s · balance there: %(balance)s %(unit)s") % {
        "channel": f"{row.channel_id} {row.channel.name}", "limits": _range(payout, row).explain(),
        "balance": lies, "unit": payout.settlement_currency_id,
    }  # fmt: skip


def _channel_evidence(asked: Asked) -> dict[str, str]:
    return {"channel": asked.values["channel"]}


def _send_button(words: Any) -> Any:
    def named(asked: Asked) -> str:
        payout: Payout = asked.obj
        amount = parts.plain_amount(payout.requested_amount, payout.currency)
        return str(words % {"amount": amount, "unit": payout.currency_id})

    return named


def _needs_two(payout: Payout) -> bool:
    """Offer a review by two people where one alone may not approve."""
    return payout.status == PayoutStatus.UNDER_REVIEW and acts.why_two_people(payout) is not None


_OF_PAYMENT: dict[str, Any] = {
    "object_kind": "payment", "models": (Payment,), "key_of": number_of, "facts": order_facts,
}  # fmt: skip
_OF_PAYOUT: dict[str, Any] = {
    "object_kind": "payout", "models": (Payout,), "key_of": number_of, "facts": order_facts,
}  # fmt: skip

request_page(
    kind=Kind.SUPPLEMENT_PAYMENT, label=_("Supplement"), form_class=SupplementForm,
    evidence_of=_supplement_evidence, button=_supplement_button, **_OF_PAYMENT,
)  # fmt: skip
request_page(
    kind=Kind.REFUND_PAYMENT, label=_("Refund"), form_class=RefundForm, evidence_of=_refund_evidence,
    button=_refund_button, **_OF_PAYMENT,
)  # fmt: skip
request_page(
    kind=Kind.FAIL_PAYOUT, label=_("Mark as failed"), form_class=FailForm, evidence_of=_fail_evidence,
    button=_fail_button, **_OF_PAYOUT,
)  # fmt: skip
request_page(
    kind=Kind.REINITIATE_PAYOUT, label=_("Re-initiate"), form_class=ReinitiateForm,
    evidence_of=_channel_evidence, button=_send_button(_("Ask to send %(amount)s %(unit)s again")),
    **_OF_PAYOUT,
)  # fmt: skip
request_page(
    kind=Kind.REVIEW_PAYOUT, label=_("Review by two people"), is_single_step=True, fits=_needs_two,
    button=_send_button(_("Ask to approve %(amount)s %(unit)s")), **_OF_PAYOUT,
)  # fmt: skip
