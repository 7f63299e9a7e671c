"""Direct acts on a payout: approve or reject its review, upload proof that it was paid or was not.

Source: backoffice.md, Operations on an order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.upstreams import registry
from diamondpay.lib import clock, crypto, errors, uploads
from diamondpay.models import User
from merchants import access
from operations import acts, order_acts
from operations.act_pages import ActForm, ActPage, Asked, Change, Done, Words, register
from operations.order_acts import told
from records import ledger, proofs
from records.admin import parts
from records.models import Payment, Payout, PayoutStatus

UPLOAD_PROOF = "records.add_proof"
_NUMBER_LENGTH_MAX = 32
_RELATIONS = ("currency", "settlement_currency", "channel", "merchant", "service", "bank", "merchant_channel")
# Before it is sent there is nothing to prove.
_SENT = (PayoutStatus.IN_PROGRESS, PayoutStatus.SUCCESS, PayoutStatus.FAILED)


def load(user: User, number: str, is_locked: bool) -> Payout | None:
    """Return a payout that the person may see, by its platform number, locked where asked."""
    found = access.visible_to(user, Payout.objects.select_related(*_RELATIONS))
    if is_locked:
        found = found.select_for_update(of=("self",))
    return found.filter(payout_id=number).first() if len(number) <= _NUMBER_LENGTH_MAX else None


def number_of(payout: Payout) -> str:
    """Return what stands for a payout in the address of its acts."""
    return str(payout.payout_id)


def facts(asked: Asked) -> Sequence[tuple[Words, Any]]:
    """Return what a person should have before their eyes while they act on a payout."""
    payout: Payout = asked.obj
    bank = payout.bank.name if payout.bank is not None else payout.bank_name
    return (
        (_("requested amount"), parts.amount(payout.requested_amount, payout.currency)),
        (_("fee"), parts.amount(payout.fee, payout.settlement_currency)),
        (_("frozen"), parts.amount(payout.debited_amount, payout.settlement_currency)),
        (_("recipient"), payout.party_name or parts.nothing()),
        (_("account"), payout.account_masked or parts.nothing()),
        (_("bank"), bank or parts.nothing()),
        (_("merchant"), f"{payout.merchant_id} {payout.merchant.name}"),
        (_("merchant order no."), payout.merchant_order_no),
        (_("channel"), payout.channel_id),
        (_("created"), parts.moment(payout.created_at)),
    )


# Review ---------------------------------------------------------------------------------------------------


def _not_reviewable(asked: Asked) -> Words | None:
    payout: Payout = asked.obj
    if payout.status != PayoutStatus.UNDER_REVIEW:
        return _t("This payout is not under review any more; it is %s.") % payout.get_status_display()
    if payout.placed_by_id is not None and payout.placed_by_id == asked.user.pk:
        return _t("You placed this payout; another person must review it.")
    return None


def _not_approvable(asked: Asked) -> Words | None:
    hindrance = _not_reviewable(asked)
    return hindrance if hindrance is not None else acts.why_two_people(asked.obj)


def _balances(payout: Payout, *, available: Decimal, frozen: Decimal) -> list[Change]:
    """Return what becomes of the wallet. Busy wallets move by themselves, so it is shown and not compared."""
    before = ledger.balances([payout.merchant_channel_id])[payout.merchant_channel_id]
    rows = ((_("available balance"), before[0], available), (_("frozen balance"), before[1], frozen))
    return [
        Change(
            label=label, before=parts.amount(now, payout.settlement_currency),
            after=parts.amount(now + delta, payout.settlement_currency), is_binding=False,
        )
        for label, now, delta in rows
    ]  # fmt: skip


def _approving(asked: Asked) -> list[Change]:
    payout: Payout = asked.obj
    return [
        Change(
            label=_("status"), before=payout.get_status_display(), after=PayoutStatus.IN_PROGRESS.label
        ),
        Change(
            label=_("sent to the upstream"), before=parts.nothing(),
            after=_t("%(amount)s %(unit)s through %(channel)s, at once") % {
                "amount": parts.plain_amount(payout.requested_amount, payout.currency),
                "unit": payout.currency_id, "channel": payout.channel_id,
            },
        ),
        *_balances(payout, available=Decimal(0), frozen=Decimal(0)),
    ]  # fmt: skip


def _rejecting(asked: Asked) -> list[Change]:
    payout: Payout = asked.obj
    return [
        Change(
            label=_("status"), before=payout.get_status_display(), after=PayoutStatus.REVIEW_REJECTED.label
        ),
        *_balances(payout, available=payout.debited_amount, frozen=-payout.debited_amount),
        told(payout),
    ]


def _approve(asked: Asked) -> Done:
    attempt_pk = acts.pass_review(
        payout_id=asked.obj.payout_id, user=asked.user, reason=asked.reason, address=asked.address,
        now=asked.now,
    )  # fmt: skip
    return Done(
        message=_t("%s is approved and is being sent.") % asked.obj.payout_id,
        after_commit=lambda: _send(attempt_pk, asked),
    )


def _send(attempt_pk: int, asked: Asked) -> str:
    """Send, with no transaction open, and say in words what came of it. What is not sent now is sent soon."""
    number = {"number": asked.obj.payout_id}
    try:
        payout = acts.send(attempt_pk=attempt_pk, read_clock=clock.going_on_from(asked.now))
    except (registry.UnknownUpstream, ValueError, crypto.CannotDecrypt):
        words = _t("%(number)s is approved; it waits to be sent: the settings of its channel are wrong.")
        return words % number
    if payout.status == PayoutStatus.FAILED or payout.is_held:
        refused = {**number, "why": payout.error_message.rstrip(".")}
        return _t("%(number)s is approved; the upstream refused it: %(why)s.") % refused
    if payout.submitted_at is None:
        return _t("%(number)s is approved and sent; what the upstream made of it is not known yet.") % number
    return _t("%(number)s is approved, and the upstream has accepted it.") % number


def _reject(asked: Asked) -> Done:
    payout = acts.reject_payout(
        payout_id=asked.obj.payout_id, user=asked.user, reason=asked.reason, address=asked.address,
        now=asked.now,
    )  # fmt: skip
    return Done(message=_t("%s is rejected, and its money is available again.") % payout.payout_id)


def _names(words: Words, *, field: str) -> Callable[[Asked], Words]:
    """Return the text of a button that names the act and the amount."""

    def button(asked: Asked) -> Words:
        unit = asked.obj.currency if field == "requested_amount" else asked.obj.settlement_currency
        amount = parts.plain_amount(getattr(asked.obj, field), unit)
        return str(words) % {"amount": amount, "unit": unit.pk}

    return button


# Proof ----------------------------------------------------------------------------------------------------


class ProofForm(ActForm):
    """The file and what it shows. The file is made harmless while the form is read."""

    file = forms.FileField(
        label=_("File"), allow_empty_file=True, max_length=None,
        widget=forms.FileInput(attrs={"accept": ".jpg,.jpeg,.png,.pdf"}),
        help_text=_("A JPEG or PNG picture or a PDF file of at most 5 MB. It cannot be removed again."),
    )  # fmt: skip

    def __init__(self, *args: Any, asked: Asked, **kwargs: Any) -> None:
        super().__init__(*args, asked=asked, **kwargs)
        self.fields["reason"].label = _("What it shows")
        self.fields["reason"].help_text = _("It stands beside the proof, also for the merchant.")

    def clean_file(self) -> tuple[uploads.Harmless, str]:
        """Return what may be kept, and the hash of what came."""
        file = self.cleaned_data["file"]
        # Asked before it is read: a large one lies on the disk.
        if file.size > uploads.BYTES_MAX:
            raise forms.ValidationError(uploads.too_large(file.size))
        content = file.read()
        try:
            kept = uploads.harmless(name=file.name, content=content)
        except errors.InvalidInput as refusal:
            raise forms.ValidationError(str(refusal.fields[uploads.FIELD])) from None
        return kept, hashlib.sha256(content).hexdigest()


class EvidenceForm(ProofForm):
    """The same for a deposit, where it is between us and the upstream."""

    def __init__(self, *args: Any, asked: Asked, **kwargs: Any) -> None:
        super().__init__(*args, asked=asked, **kwargs)
        self.fields["reason"].help_text = _("It stands beside the proof. The merchant sees neither.")


def _not_provable(asked: Asked) -> Words | None:
    if isinstance(asked.obj, Payment) or asked.obj.status in _SENT:
        return None
    words: str = _t("This payout is %s: nothing was sent, so there is nothing to prove.")
    return words % PayoutStatus(asked.obj.status).label


def _proving(asked: Asked) -> list[Change]:
    count = asked.obj.proofs.count()
    is_seen = isinstance(asked.obj, Payout)
    return [
        Change(label=_("proofs"), before=str(count), after=str(count + 1), is_binding=False),
        Change(
            label=_("the merchant's users"), before=parts.nothing(),
            after=_t("see it on the payout's page") if is_seen else _t("do not see it"), is_binding=False,
        ),
    ]  # fmt: skip


def _keep(asked: Asked) -> Done:
    file, uploaded_sha256 = asked.values["file"]
    proofs.keep(
        order=asked.obj, file=file, uploaded_sha256=uploaded_sha256, note=asked.reason,
        request_id=asked.token, user=asked.user, address=asked.address, now=asked.now,
    )  # fmt: skip
    return Done(message=_t("The proof is kept with %s.") % asked.obj)


register(
    ActPage(
        name="approve_payout", label=_("Approve"), permissions=(acts.REVIEW,), object_kind="payout",
        load=load, models=(Payout,), key_of=number_of, obstacle=_not_approvable, before_after=_approving,
        execute=_approve, facts=facts, is_single_step=True, moves_money=True,
        button=_names(_("Approve and send %(amount)s %(unit)s"), field="requested_amount"),
    )
)  # fmt: skip
register(
    ActPage(
        name="reject_payout", label=_("Reject"), permissions=(acts.REVIEW,), object_kind="payout",
        load=load, models=(Payout,), key_of=number_of, obstacle=_not_reviewable, before_after=_rejecting,
        execute=_reject, facts=facts, is_single_step=True,
        button=_names(_("Reject and release %(amount)s %(unit)s"), field="debited_amount"),
    )
)  # fmt: skip
register(
    ActPage(
        name="upload_proof", label=_("Upload proof"), permissions=(UPLOAD_PROOF,), object_kind="payout",
        load=load, models=(Payout,), key_of=number_of, obstacle=_not_provable, before_after=_proving,
        execute=_keep,
        facts=facts, form_class=ProofForm, is_single_step=True,
        button=lambda asked: _t("Keep this proof with %s") % asked.obj.payout_id,
    )
)  # fmt: skip
register(
    ActPage(
        name="upload_payment_proof", label=_("Upload proof"), permissions=(UPLOAD_PROOF,),
        object_kind="payment", load=order_acts.load, models=(Payment,), key_of=order_acts.number_of,
        before_after=_proving, execute=_keep, facts=order_acts.facts, form_class=EvidenceForm,
        is_single_step=True, button=lambda asked: _t("Keep this proof with %s") % asked.obj.payment_id,
        note=_("What shows that the money came: a supplement refers to it."),
    )
)  # fmt: skip
