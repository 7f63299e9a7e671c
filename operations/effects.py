"""What an act changes, as a table of now and afterwards: the same for who asks and, anew, for who decides."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.utils.text import format_lazy
from django.utils.translation import gettext as _t

from channels import rates, secrets, setting_forms
from channels.models import Channel
from diamondpay.lib import clock, crypto, errors, money
from merchants import credentials
from merchants.models import Credential, Merchant, MerchantChannel
from operations import deeds, new_rates, terms
from operations.act_pages import Change
from operations.models import Act
from operations.objects import RatePair
from records import credit, ledger, statistics
from records.admin import parts
from records.models import (
    ManualFreeze,
    Payment,
    PaymentStatus,
    Payout,
    PayoutStatus,
    PostingKind,
)

Evidence = Mapping[str, str]
Kind = Act.Kind
ZERO = Decimal(0)


def of(kind: str, obj: Any, evidence: Evidence) -> Sequence[Change]:
    """Return the rows of an act's table, from its frozen evidence and the object as it is now."""
    return _EFFECTS[Kind(kind)](obj, evidence)


def moved(
    wallet: MerchantChannel, *, available: Decimal = ZERO, frozen: Decimal = ZERO, is_named: bool = False
) -> list[Change]:
    """Return what a wallet's balances are and will be. They move by themselves, so they bind nobody."""
    before = ledger.balances([wallet.pk])[wallet.pk]
    whose = f"{wallet.merchant}: " if is_named else ""
    return [
        Change(
            label=f"{whose}{word}",
            before=parts.amount(now, wallet.currency),
            after=parts.amount(now + delta, wallet.currency),
            is_binding=False,
        )
        for word, now, delta in zip(
            (_t("available balance"), _t("frozen balance")), before, (available, frozen), strict=True
        )
        if delta
    ]


def _adjust(wallet: MerchantChannel, evidence: Evidence) -> list[Change]:
    return moved(wallet, available=Decimal(evidence["amount"]))


def _freeze(wallet: MerchantChannel, evidence: Evidence) -> list[Change]:
    amount = Decimal(evidence["amount"])
    return moved(wallet, available=-amount, frozen=amount)


def _unfreeze(freeze: ManualFreeze, _evidence: Evidence) -> list[Change]:
    state = _t("lifted") if freeze.lifted_by_id else _t("in force")
    rows = moved(freeze.merchant_channel, available=freeze.amount, frozen=-freeze.amount)
    return [Change(label=_t("freeze"), before=state, after=_t("lifted")), *rows]


def _transfer(source: MerchantChannel, evidence: Evidence) -> list[Change]:
    amount = Decimal(evidence["amount"])
    destination = MerchantChannel.objects.select_related("merchant", "currency").get(
        pk=evidence["destination"]
    )
    return [
        *moved(source, available=-amount, is_named=True),
        *moved(destination, available=amount, is_named=True),
    ]


def _status(order: Payment | Payout, after: Any) -> Change:
    return Change(label=_t("status"), before=str(order.get_status_display()), after=str(after))


def _fail(payout: Payout, _evidence: Evidence) -> list[Change]:
    debited = payout.debited_amount
    rows = moved(payout.merchant_channel, available=debited, frozen=-debited)
    return [_status(payout, PayoutStatus.FAILED.label), *rows]


def _reinitiate(payout: Payout, evidence: Evidence) -> list[Change]:
    count = payout.attempts.count()
    return [
        Change(
            label=_t("attempts at upstreams"),
            before=_t("%d, the last failed; held") % count if payout.is_held else str(count),
            after=_t("%d, sent again") % (count + 1),
        ),
        Change(label=_t("channel"), before=payout.channel_id, after=evidence["channel"]),
        Change(
            label=_t("frozen for this payout"),
            before=parts.amount(payout.debited_amount, payout.settlement_currency),
            after=parts.amount(payout.debited_amount, payout.settlement_currency),
        ),
    ]


def _review(payout: Payout, _evidence: Evidence) -> list[Change]:
    to = _t("%(amount)s %(unit)s to channel %(channel)s") % {
        "amount": parts.plain_amount(payout.requested_amount, payout.currency),
        "unit": payout.currency_id, "channel": payout.channel_id,
    }  # fmt: skip
    return [
        _status(payout, PayoutStatus.IN_PROGRESS.label),
        Change(label=_t("sent to the upstream"), before=_t("nothing"), after=to),
    ]


def _supplement(payment: Payment, evidence: Evidence) -> list[Change]:
    amount = Decimal(evidence["amount"])
    quote, settled = credit.quoted(payment=payment, actual_amount=amount)
    unit = payment.settlement_currency
    rows = [
        _status(payment, PaymentStatus.SUCCESS.label),
        Change(
            label=_t("actual amount"),
            before=parts.amount(payment.actual_amount, payment.currency),
            after=parts.amount(amount, payment.currency),
        ),
        Change(label=_t("fee"), before=parts.amount(payment.fee, unit), after=parts.amount(quote.fee, unit)),
        Change(
            label=_t("credited"),
            before=parts.amount(payment.credited_amount, unit),
            after=parts.amount(settled - quote.fee, unit),
        ),
    ]
    aside = payment.cases.filter(posting__reversed_by__isnull=True, posting__kind=PostingKind.SUSPENSE)
    suspended = aside.aggregate(total=Sum("amount"))["total"]
    if suspended:
        rows.append(
            Change(
                label=_t("set aside in suspense"),
                before=parts.amount(suspended, payment.currency),
                after=parts.amount(ZERO, payment.currency),
            )
        )
    return rows + moved(payment.merchant_channel, available=quote.credited)


def _refund(payment: Payment, evidence: Evidence) -> list[Change]:
    settled, fee = payment.settled_amount or ZERO, payment.fee or ZERO
    unit, returns = payment.settlement_currency, evidence["fee"] == "return"
    is_refunded = ledger.is_posted(f"payment:{payment.payment_id}:refund")
    return [
        Change(
            label=_t("given back to the payer"),
            before=parts.amount(payment.actual_amount if is_refunded else ZERO, payment.currency),
            after=parts.amount(payment.actual_amount, payment.currency),
        ),
        Change(
            label=_t("fee that the platform keeps"),
            before=parts.amount(fee, unit),
            after=parts.amount(ZERO if returns else fee, unit),
        ),
        _status(payment, payment.get_status_display()),
        *moved(payment.merchant_channel, available=(fee if returns else ZERO) - settled),
    ]


def _terms(row: Any, evidence: Evidence) -> list[Change]:
    now, changes = terms.of(row), []
    for name, value in terms.wanted(evidence).items():
        if name == terms.SEALED:
            changes += [
                Change(label=label, before=old, after=new) for label, old, new in _settings(row, evidence)
            ]
            continue
        changes.append(
            Change(
                label=row._meta.get_field(name).verbose_name,
                before=term_words(row, name, now[name]),
                after=term_words(row, name, value),
            )
        )
    return changes


def _settings(channel: Channel, evidence: Evidence) -> list[tuple[str, str, str]]:
    """Return the settings that an act changes; where no key of ours opens them, that they are others."""
    try:
        return terms.setting_changes(channel, evidence)
    except crypto.CannotDecrypt:
        return [(_t("settings"), _t("(cannot be read)"), _t("(others)"))]


def _activation(row: Any, evidence: Evidence) -> list[Change]:
    """Return every term with which the row is put in force; before, nothing runs on it."""
    since = terms.row_since(row)
    before = _t("not in force") if since is None else parts.moment(since)
    named = {**terms.of(row), **terms.asked_of(evidence)}
    return [
        Change(label=row._meta.get_field(terms.SINCE).verbose_name, before=before, after=_t("its approval")),
        *(
            Change(
                label=row._meta.get_field(name).verbose_name, before=parts.nothing(),
                after=term_words(row, name, value),
            )
            for name, value in named.items()
            if name != terms.SEALED
        ),
        *(
            Change(label=label, before=parts.nothing(), after=words)
            for label, words in (settings_in_words(row) if terms.SEALED in named else ())
        ),
    ]  # fmt: skip


def settings_in_words(channel: Channel) -> list[tuple[str, str]]:
    """Return each setting of a channel with its value; of a secret only whether there is one."""
    try:
        settings = secrets.settings_of(channel)
    except crypto.CannotDecrypt:
        return [(_t("settings"), _t("(cannot be read)"))]
    told = setting_forms.differences(channel.upstream, {}, settings)
    return [(setting.label, words) for setting, _old, words in told]


def term_words(row: Any, name: str, value: str) -> str:
    """Return a term for reading: the word of a fee type, a plain number with its unit."""
    if name == terms.SEALED:
        return "; ".join(f"{label}: {words}" for label, words in settings_in_words(row)) or _t("none")
    if row._meta.get_field(name).flatchoices:
        return str(dict(row._meta.get_field(name).flatchoices).get(value, value))
    if name in terms.PERCENT_MAX:
        return f"{value} %"
    if name == "fee_permillage":
        return f"{value} ‰"
    if name.endswith("_bound") and Decimal(value) == 0:
        return _t("no limit")
    return f"{Decimal(value):,f} {terms.currency_of(row).pk}"


# What a key may do, as an act asks for it: scopes joined by commas.
SCOPE_CHOICES = tuple(
    ",".join(chosen)
    for count in (3, 2, 1)
    for chosen in itertools.combinations(Credential.Scope.values, count)
)


def scope_words(scopes: str) -> errors.Words:
    """Return the scopes of a key for reading, lazily."""
    labels = [Credential.Scope(scope).label for scope in scopes.split(",")]
    return format_lazy(", ".join(["{}"] * len(labels)), *labels)


def _key(merchant: Merchant, evidence: Evidence) -> list[Change]:
    now = clock.now()
    live = len(credentials.live(merchant.pk, evidence["api"], now))
    old = evidence["old_keys"]
    if old == deeds.KEEP_OLD_KEYS:
        end = _t("they go on living")
    elif old == "0":
        end = _t("end at once")
    else:
        end = _t("end after %s") % parts.duration(timedelta(seconds=int(old)))
    rows = [
        Change(
            label=_t("live keys of %s") % Credential.Api(evidence["api"]).label,
            before=str(live), after=str(1 if old == "0" else live + 1),
        )
    ]  # fmt: skip
    if evidence.get("scopes"):
        may = str(scope_words(evidence["scopes"]))
        rows.append(Change(label=_t("the new key may"), before="–", after=may))
    if live:
        rows.append(Change(label=_t("keys that live now"), before=_t("no end of ours"), after=end))
    return rows


def _rate(_pair: RatePair, evidence: Evidence) -> list[Change]:
    """Return the rate of the moment at which the new one begins, and until when that will be in force."""
    wanted = new_rates.read(evidence)
    names = {"base": wanted.base, "quote": wanted.quote}
    start = wanted.valid_from or clock.now()
    now, following = rates.in_force(moment=start, **names), rates.following(moment=start, **names)
    after = f"1 {wanted.base} = {money.plain(wanted.rate)} {wanted.quote}"
    begins = _t("its approval") if wanted.valid_from is None else parts.moment(wanted.valid_from)
    rows = [
        Change(label=_t("exchange rate"), before=str(now) if now else _t("none"), after=after),
        Change(label=_t("in force from"), before=parts.moment(now.valid_from if now else None), after=begins),
    ]
    if now is not None:
        moved = statistics.percent_change(now.rate, wanted.rate)
        rows.append(Change(label=_t("difference"), before=parts.nothing(), after=f"{moved:+,f} %"))
    if following is not None:
        until = parts.moment(following.valid_from)
        rows.append(Change(label=_t("in force until"), before=until, after=until))
    return rows


_EFFECTS: Mapping[Act.Kind, Callable[[Any, Evidence], list[Change]]] = {
    Kind.ADJUST_BALANCE: _adjust,
    Kind.SUPPLEMENT_BALANCE: _adjust,
    Kind.FREEZE_BALANCE: _freeze,
    Kind.UNFREEZE_BALANCE: _unfreeze,
    Kind.TRANSFER_BALANCE: _transfer,
    Kind.FAIL_PAYOUT: _fail,
    Kind.REINITIATE_PAYOUT: _reinitiate,
    Kind.REVIEW_PAYOUT: _review,
    Kind.SUPPLEMENT_PAYMENT: _supplement,
    Kind.REFUND_PAYMENT: _refund,
    Kind.CHANGE_TERMS: _terms,
    Kind.ACTIVATE_TERMS: _activation,
    Kind.ROTATE_CREDENTIAL: _key,
    Kind.ADD_RATE: _rate,
}
