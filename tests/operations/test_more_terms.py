"""Tolerances, what follows a failure and a channel's settings decide where money goes: two people's (P6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from channels import secrets
from channels.models import Channel, ChannelService
from diamondpay.lib import clock, errors, transactions
from diamondpay.models import AuditRow, User
from merchants.models import MerchantService
from operations import approvals, terms
from operations.models import Act, FormToken
from tests import factories
from tests.operations import act_forms
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db

CHANNEL = "/admin/channels/channel/sandbox/change/"
SETTINGS = "/admin/acts/change_settings_channel/sandbox/"
NEW_SECRET = "another-very-secret-word-0987654321"
SEALED = secrets.seal_settings({"base_url": "http://127.0.0.1:9"})
TERMS: list[tuple[Any, str, Any]] = [
    (MerchantService, "after_failure", "hold"),
    (ChannelService, "tolerance_below", 5),
    (ChannelService, "tolerance_above", 7),
    (Channel, "settings_encrypted", SEALED),
]


@pytest.fixture
def boss(client: Client) -> User:
    """An administrator who is signed in."""
    factories.make_channel()
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


def refused(deed: Callable[[], object], constraint: str) -> None:
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        deed()
        committed()
    assert str(transactions.constraint_name(refusal.value)).endswith(constraint)


def committed() -> None:
    """Let the database look at what it looks at when a transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def in_force(desk: Desk, model: Any) -> Any:
    if model is MerchantService:
        return MerchantService.objects.get(merchant=desk.registered.merchant, service="SVC0004")
    if model is Channel:
        return Channel.objects.get(pk="scripted")
    return ChannelService.objects.get(channel="scripted", service="SVC0001")


def ask(row: Any, user: User, **wanted: Any) -> Act:
    return approvals.request(
        kind=Act.Kind.CHANGE_TERMS, object_kind=terms.kind_of(row), object_id=str(row.pk), reason="contract",
        evidence=terms.evidence(row, wanted), request_id="r1", user=user, now=clock.now(),
    )  # fmt: skip


def stored(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = type(row)._default_manager.filter(pk=row.pk).values().get()
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in found.items()}


@pytest.mark.parametrize(("model", "name", "value"), TERMS, ids=[name for _model, name, _value in TERMS])
def test_the_database_refuses_a_change_by_one_and_takes_the_act_of_two_p6(
    desk: Desk, approver: User, model: Any, name: str, value: Any
) -> None:
    row = in_force(desk, model)
    rows, before = model._default_manager.filter(pk=row.pk), stored(row)
    refused(lambda: rows.update(**{name: value}), "terms_have_act")
    refused(lambda: rows.update(**{name: value}, terms_since=clock.now()), "terms_have_act")
    assert stored(row) == before
    act = ask(row, factories.make_approver("asker"), **{name: value})
    approvals.approve(act_id=act.pk, user=approver, reason="as agreed", now=clock.now())
    committed()
    act.refresh_from_db()
    assert stored(row) == {**before, name: value, "terms_since": act.decided_at}


def test_the_database_refuses_settings_that_are_not_those_of_the_act_p6(desk: Desk, approver: User) -> None:
    row = in_force(desk, Channel)
    act, before = ask(row, factories.make_approver("asker"), settings_encrypted=SEALED), stored(row)

    def with_others() -> None:
        """Let the act be executed, and write other settings than it says."""
        now = clock.now()
        Act.objects.filter(pk=act.pk).update(
            state="executed", decided_by=approver, decided_at=now, decision_reason="forged"
        )
        other = secrets.seal_settings({"base_url": "http://127.0.0.1:9"})
        Channel.objects.filter(pk=row.pk).update(settings_encrypted=other, terms_since=now)

    refused(with_others, "terms_have_act")
    refused(lambda: Channel.objects.filter(pk=row.pk).update(upstream="sandbox"), "terms_stay")
    assert stored(row) == before


@pytest.mark.parametrize(
    "forged",
    [
        {"sealed.settings_encrypted": "AAAA"}, {"sealed.settings_encrypted": "?"},
        {"sealed.settings_encrypted": ""}, {"after.settings_encrypted": "0" * 64},
        {"sealed.payment_upper_bound": "AAAA"},
    ],
)  # fmt: skip
def test_settings_are_asked_for_with_the_hash_of_what_is_sealed_and_nothing_else(
    desk: Desk, forged: dict[str, str]
) -> None:
    row = in_force(desk, Channel)
    with pytest.raises(errors.InvalidInput):
        approvals.request(
            kind=Act.Kind.CHANGE_TERMS, object_kind="channel", object_id=row.pk, reason="r", request_id="r",
            evidence={**terms.evidence(row, {"settings_encrypted": SEALED}), **forged}, now=clock.now(),
            user=factories.make_approver("asker"),
        )  # fmt: skip
    assert not Act.objects.exists()


def test_settings_are_looked_at_before_and_after_and_no_page_tells_a_secret(
    client: Client, boss: User
) -> None:
    typed = {
        "setting_base_url": "http://127.0.0.1:8200",
        "setting_account": "sandbox",
        "setting_secret": NEW_SECRET,
    }
    look = act_forms.looked(client, SETTINGS, **typed)
    assert act_forms.table(look) == [
        ("Address", "http://127.0.0.1:8100", "http://127.0.0.1:8200"),
        ("Secret", "(secret)", "(another secret)"),
    ]
    kept = {bound.name: bound for bound in look.context["form"]}
    sealed = look.context["form"].fields["setting_secret"].hidden_widget().format_value(NEW_SECRET)
    assert (sealed.startswith("sealed:"), len(kept), NEW_SECRET in look.content.decode()) == (True, 5, False)
    before = stored(Channel.objects.get(pk="sandbox"))
    answer = client.post(SETTINGS, act_forms.sent_of(look, **{**typed, "setting_secret": sealed}))
    assert (answer.status_code, stored(Channel.objects.get(pk="sandbox"))) == (302, before)
    act = Act.objects.get()
    page = client.get(answer["Location"]).content.decode()
    assert ("(another secret)" in page, act.evidence["sealed.settings_encrypted"] in page) == (True, False)
    everything = repr([page, act.evidence, *AuditRow.objects.values(), *FormToken.objects.values()])
    assert NEW_SECRET not in everything
    assert act.evidence["sealed.settings_encrypted"] not in repr(list(AuditRow.objects.values()))


def test_another_person_approves_settings_and_they_hold_as_asked_p6(
    client: Client, boss: User, approver: User
) -> None:
    typed = {
        "setting_base_url": "http://127.0.0.1:8200",
        "setting_account": "sandbox",
        "setting_secret": NEW_SECRET,
    }
    act_forms.done(client, SETTINGS, **typed)
    act = Act.objects.get()
    url = act_forms.url_of("approve", act.pk)
    assert "This is your own request." in client.get(url).content.decode()
    client.force_login(approver)
    client.post(url, {**act_forms.opened(client, url), "step": "do", "reason": "as agreed"})
    committed()
    act.refresh_from_db()
    channel = Channel.objects.get(pk="sandbox")
    assert (act.state, channel.terms_since) == ("executed", act.decided_at)
    found = secrets.settings_of(channel)
    assert (found["base_url"], found["secret"]) == ("http://127.0.0.1:8200", NEW_SECRET)
    audited = AuditRow.objects.get(action="channel.change")
    told = {name: audited.after[name] for name in ("Address", "Secret")}
    assert told == {"Address": "http://127.0.0.1:8200", "Secret": "(another secret)"}


@pytest.mark.parametrize(
    ("typed", "where", "words"),
    [
        ({"setting_base_url": ""}, "setting_base_url", "The upstream needs this setting."),
        ({"setting_base_url": "http://127.0.0.1:8100"}, "__all__",
         "Nothing is changed. Change at least one of the settings."),
        ({"setting_base_url": "http://x", "setting_secret": "sealed:AAAA"}, "setting_secret",
         "This was changed on its way. Type it again."),
        ({"setting_base_url": "http://x", "setting_secret": "sealed:é"}, "setting_secret",
         "This was changed on its way. Type it again."),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_told_beside_their_field_and_nothing_is_asked(
    client: Client, boss: User, typed: dict[str, str], where: str, words: str
) -> None:
    page = act_forms.looked(client, SETTINGS, setting_account="sandbox", **typed)
    assert (act_forms.complaints(page), Act.objects.count()) == ({where: [words]}, 0)


def test_the_page_of_a_channel_in_force_changes_no_setting_and_still_switches_it_off(
    client: Client, boss: User
) -> None:
    before = stored(Channel.objects.get(pk="sandbox"))
    opened = client.get(CHANNEL)
    form = opened.context["adminform"].form
    assert {
        name for name in form.fields if name.startswith("setting_") and not form.fields[name].disabled
    } == set()
    sent = {name: form[name].value() for name in form.fields} | {
        "status": "disabled", "setting_base_url": "http://evil", "setting_secret": "x",
        "channel_services-TOTAL_FORMS": "0", "channel_services-INITIAL_FORMS": "0",
    }  # fmt: skip
    answer = client.post(CHANNEL, {name: value for name, value in sent.items() if value is not None})
    committed()
    assert answer.status_code == 302
    assert stored(Channel.objects.get(pk="sandbox")) == {**before, "status": "disabled"}
    assert AuditRow.objects.get(action="channel.change").after == {"status": "disabled"}


def test_a_tolerance_beyond_reason_is_refused_beside_its_field(
    client: Client, desk: Desk, boss: User
) -> None:
    row = in_force(desk, ChannelService)
    url = f"/admin/acts/change_terms_channelservice/{row.pk}/"
    wanted = {**terms.of(row), "tolerance_below": "100.01", "tolerance_above": "0.001"}
    page = act_forms.looked(client, url, **wanted)
    assert act_forms.complaints(page) == {
        "tolerance_below": ["Give at most 100 %."], "tolerance_above": ["This has too many decimals."],
    }  # fmt: skip
    look = act_forms.looked(client, url, **{**wanted, "tolerance_below": "2.5", "tolerance_above": "0"})
    assert act_forms.table(look) == [("tolerance below %", "0 %", "2.5 %")]
    service = in_force(desk, MerchantService)
    url = f"/admin/acts/change_terms_merchantservice/{service.pk}/"
    held = act_forms.looked(client, url, **{**terms.of(service), "after_failure": "hold"})
    assert act_forms.table(held) == [
        ("when an upstream refuses a payout", "Fail the payout and release the money",
         "Hold the payout for a person"),
    ]  # fmt: skip
    assert not Act.objects.exists()


def test_settings_that_changed_since_they_were_asked_for_are_not_written(desk: Desk, approver: User) -> None:
    row = in_force(desk, Channel)
    act = ask(row, factories.make_approver("asker"), settings_encrypted=SEALED)
    factories.set_terms(
        Channel.objects.filter(pk=row.pk), settings_encrypted=secrets.seal_settings({"a": "b"})
    )
    before = stored(row)
    with pytest.raises(terms.Stale):
        approvals.approve(act_id=act.pk, user=approver, reason="as agreed", now=clock.now())
    act.refresh_from_db()
    assert (act.state, stored(row)) == ("requested", before)


def test_settings_that_no_key_opens_any_more_are_replaced_by_an_act(
    client: Client, boss: User, approver: User
) -> None:
    factories.set_terms(Channel.objects.filter(pk="sandbox"), settings_encrypted=b"not ours")
    typed = {
        "setting_base_url": "http://127.0.0.1:8200",
        "setting_account": "sandbox",
        "setting_secret": NEW_SECRET,
    }
    look = act_forms.looked(client, SETTINGS, **typed)
    assert act_forms.table(look) == [("settings", "(cannot be read)", "(others)")]
    assert client.post(SETTINGS, act_forms.sent_of(look, **typed)).status_code == 302
    act = Act.objects.get()
    approvals.approve(act_id=act.pk, user=approver, reason="as agreed", now=clock.now())
    committed()
    assert secrets.settings_of(Channel.objects.get(pk="sandbox"))["secret"] == NEW_SECRET
