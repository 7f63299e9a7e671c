"""Creating test deposits from the back office: what is placed, what is refused in which words, by whom."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from channels.models import Channel, RequiredField, Service
from diamondpay.models import AuditRow, User
from merchants.models import Merchant
from merchants.registration import Registered
from records import parties, payer_links
from records.models import Payment, StatusChange
from tests import factories
from tests.operations import creating
from tests.operations.creating import CARD, PAYMENT_PAGE, faults, opened, orders, owner, staff
from tests.support.scripted_upstream import NAME, ScriptedUpstream, refused, unknown, upstream

__all__ = ["owner", "staff", "upstream"]
pytestmark = pytest.mark.django_db

RANGE = "500 – 20,000 CNY (both bounds: service)"
NO_MERCHANT = "There is no such merchant, or you may not create orders for it."


def test_a_test_deposit_is_placed_with_what_was_typed_and_tagged(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    answer = opened(client, owner, number="6216 6674 5167 4374").send("place")
    payment = Payment.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/admin/records/payment/{payment.pk}/change/")
    assert (payment.status, payment.requested_amount, payment.is_test, payment.source) == (
        0, Decimal(1000), True, "MerchantBackend",
    )  # fmt: skip
    assert (payment.placed_by, payment.notify_url, payment.remark_code) == (
        staff, creating.DEFAULT_URL, "AB12",
    )  # fmt: skip
    assert (payment.merchant_channel, payment.limit_lower_bound) == (owner.wallets[0], Decimal(500))
    assert parties.party_of(payment).account == CARD
    assert payment.merchant_order_no.startswith("TEST-20")
    assert StatusChange.objects.get().changed_by_user == staff
    assert [request.reference for request in upstream.requests] == [payment.payment_id]


def test_the_deed_is_in_the_audit_trail_without_a_number_of_the_payer(
    client: Client, owner: Registered, staff: User
) -> None:
    opened(client, owner).send("place")
    payment, row = Payment.objects.get(), AuditRow.objects.get(action="payment.place")
    assert (row.user, row.object_kind, row.object_id, row.address) == (
        staff, "payment", payment.payment_id, "127.0.0.1",
    )  # fmt: skip
    assert row.after == {
        "merchant": owner.merchant.pk, "merchant_order_no": payment.merchant_order_no, "service": "SVC0001",
        "wallet": owner.wallets[0].pk, "amount": "1000", "currency": "CNY", "is_test": True,
    }  # fmt: skip
    assert CARD not in str(row.after)


def test_success_leads_to_the_order_with_the_payment_page_and_the_way_to_another(
    client: Client, owner: Registered, staff: User
) -> None:
    answer = opened(client, owner).send("place")
    payment = Payment.objects.get()
    page = client.get(answer.url).content.decode()
    assert f"The test deposit {payment.payment_id} of 1,000.00 CNY is placed." in page
    assert f'href="{payer_links.payment_page(payment)}" target="_blank" rel="noopener"' in page
    assert f'href="{PAYMENT_PAGE}like/{payment.payment_id}/"' in page


def test_with_scripts_the_browser_is_told_both_addresses(
    client: Client, owner: Registered, staff: User
) -> None:
    form = opened(client, owner)
    answer = client.post(PAYMENT_PAGE, {**form.fields, "act": "place"}, headers={"HX-Request": "true"})
    payment = Payment.objects.get()
    assert answer.status_code == 200
    assert answer["HX-Redirect"] == f"/admin/records/payment/{payment.pk}/change/"
    assert payer_links.payment_page(payment) in answer["HX-Trigger"]


def test_a_refusal_of_the_upstream_is_told_and_opens_no_payment_page(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    upstream.answers = [refused("no account is free")]
    page = client.get(opened(client, owner).send("place").url).content.decode()
    assert f"refused {Payment.objects.get().payment_id} at once: no account is free." in page
    assert "payer-page" not in page


def test_an_unknown_answer_is_no_failure(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    upstream.answers = [unknown()]
    page = client.get(opened(client, owner).send("place").url).content.decode()
    assert (Payment.objects.get().status, "payer-page" in page) == (0, True)


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"amount": ""}, "amount", "Give the amount."),
        ({"amount": "499.99"}, "amount", f"The amount 499.99 is outside what is allowed: {RANGE}."),
        ({"amount": "20000.01"}, "amount", f"The amount 20,000.01 is outside what is allowed: {RANGE}."),
        ({"amount": "0"}, "amount", "The amount must be positive."),
        ({"amount": "-5"}, "amount", "The amount must be positive."),
        ({"amount": "1000.001"}, "amount", "CNY has at most 2 decimals."),
        ({"amount": "1e3"}, "amount", "Write a plain decimal number such as 1250.50."),
        ({"amount": "１０００"}, "amount", "Write a plain decimal number such as 1250.50."),
        ({"amount": "1,000"}, "amount", "Write a plain decimal number such as 1250.50."),
        ({"amount": "9" * 39}, "amount", "The number has more than 38 digits."),
        ({"merchant": "PF9999"}, "merchant", NO_MERCHANT), ({"merchant": "\x00"}, "merchant", NO_MERCHANT),
        ({"service": ""}, "service", "Choose a service."),
        ({"service": "SVC0404"}, "service", "There is no such service."),
        ({"service": "SVC0004"}, "service", "There is no such service."),
        (
            {"service": "SVC0010"}, "service",
            "SVC0010 Alipay QR is not available. The merchant has not activated it.",
        ),
        ({"channel": "PFC0"}, "channel", "This merchant has no such channel."),
        ({"name": ""}, "name", "This service requires it."),
        ({"number": " "}, "number", "This service requires it."),
        ({"remark_code": ""}, "remark_code", "This service requires it."),
        ({"name": "x" * 65}, "name", "At most 64 characters."),
        ({"name": "Wang\u202eWei"}, "name", "It contains an invisible character (U+202E)."),
        ({"name": "Wang\x00"}, "name", "It contains an invisible character (U+0000)."),
        (
            {"notify_url": "file:///etc/passwd"}, "notify_url",
            "This address cannot be called: the URL must begin with http:// or https://.",
        ),
        ({"notify_url": "https://a.example/" + "x" * 256}, "notify_url", "At most 256 characters."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_nothing_changes(
    client: Client, owner: Registered, staff: User, typed: dict[str, str], field: str, words: str
) -> None:
    form = opened(client, owner)
    answer = form.send("place", **typed)
    assert (answer.status_code, faults(answer)[field]) == (422, words)
    assert (orders(), AuditRow.objects.filter(user=staff).count()) == ((0, 0), 0)
    # What was typed is kept, and the order number with it.
    page = answer.content.decode()
    assert answer.context["order_no"] == form.order_no
    sent = {**form.fields, **typed}
    kept = [name for name in sent if name not in ("form", "merchant", "service", "channel", field)]
    assert [name for name in kept if f'value="{sent[name]}"' not in page] == []


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/", "http://127.0.0.2/x", "http://169.254.169.254/", "http://[::1]/", "http://0x7f000001/",
     "http://user:secret@acme.example/", "http://2130706433/", "javascript:alert(1)", "//acme.example/"],
)  # fmt: skip
def test_a_callback_address_that_must_not_be_called_is_refused(
    client: Client, owner: Registered, staff: User, settings: Any, url: str
) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = []
    answer = opened(client, owner, notify_url=url).send("place")
    assert list(faults(answer)) == ["notify_url"]
    assert faults(answer)["notify_url"].startswith("This address cannot be called: ")
    assert orders() == (0, 0)


def test_a_typed_callback_address_is_the_orders_own(client: Client, owner: Registered, staff: User) -> None:
    opened(client, owner, notify_url="https://203.0.114.9/told").send("place")
    assert Payment.objects.get().notify_url == "https://203.0.114.9/told"


def test_all_that_is_missing_is_said_at_once(client: Client, owner: Registered, staff: User) -> None:
    answer = opened(client, owner, amount="", name="", number="", remark_code="").send("place")
    assert list(faults(answer)) == ["amount", "name", "number", "remark_code"]


SEED_FIELDS = {
    "cny-bank-card": ["name", "number", "remark_code"], "cny-wallet": ["name"],
    "thai": ["name", "number", "bank"], "vietnamese": ["name", "bank"], "indonesian": ["name", "bank"],
    "brazilian": ["name", "number", "phone", "id_number"], "usdt": [],
}  # fmt: skip


@pytest.mark.parametrize("service_type", SEED_FIELDS)
def test_the_required_fields_are_those_of_the_service_type(
    client: Client, owner: Registered, staff: User, service_type: str
) -> None:
    """Source: seed 002, Required Fields by Service Type."""
    service = Service.objects.filter(service_type=service_type, direction="deposit").order_by("pk")[0]
    code = f"c-{service_type}"
    factories.make_channel(code, service.currency_id, NAME, [service.pk])
    merchant = factories.make_merchant("Far", services=[service.pk], channels=[code])
    context = client.get(PAYMENT_PAGE, {"merchant": merchant.merchant.pk, "service": service.pk}).context
    assert [asked.name for asked, _fault in context["inputs"] if asked.is_required] == SEED_FIELDS[
        service_type
    ]
    # The one channel is chosen at once.
    assert context["desk"].channel.key == merchant.wallets[0].pk
    fields = {"form": context["form_token"], "merchant": merchant.merchant.pk, "service": service.pk}
    form = creating.Form(client, PAYMENT_PAGE, fields)
    assert list(faults(form.send("place"))) == ["amount", *SEED_FIELDS[service_type]]
    bank = next((asked.options[0][0] for asked, _fault in context["inputs"] if asked.options), "")
    typed = {"name": "Ana", "number": "123456789", "phone": "0811", "id_number": "A1", "remark_code": "R1"}
    assert form.send("place", **typed, bank=bank, amount="30").status_code == 302
    assert Payment.objects.get().bank_id == (bank or None)


def test_a_field_that_a_service_starts_to_demand_is_asked_for(
    client: Client, owner: Registered, staff: User
) -> None:
    Service.objects.filter(pk="SVC0001").update(requires_last_number=True)
    RequiredField.objects.filter(service_type="cny-bank-card", field="remark_code").delete()
    assert faults(opened(client, owner).send("place")) == {"last_number": "This service requires it."}
    wrong = opened(client, owner, last_number="12").send("place")
    assert faults(wrong) == {"last_number": "Give the last 3 to 8 digits of the account."}
    assert opened(client, owner, last_number="1234 5678").send("place").status_code == 302


def test_a_channel_that_was_switched_off_meanwhile_is_told(
    client: Client, owner: Registered, staff: User
) -> None:
    form = opened(client, owner)
    Channel.objects.filter(pk=NAME).update(status="disabled")
    assert faults(form.send("place"))["service"] == (
        "SVC0001 Bank-card deposit is not available. "
        "Its only channel cannot be used: The channel is disabled."
    )
    Merchant.objects.update(status="disabled")
    assert faults(form.send("place"))["merchant"] == "This merchant is disabled."
    assert orders() == (0, 0)


def test_a_broken_channel_is_refused_by_placement_beside_the_channel(
    client: Client, owner: Registered, staff: User
) -> None:
    form = opened(client, owner)
    factories.set_terms(Channel.objects.all(), settings_encrypted=b"not ours")
    assert faults(form.send("place")) == {"channel": "No channel is available for this order."}
    assert orders() == (0, 0)


def test_one_form_is_one_order_also_where_repeats_are_refused(
    client: Client, owner: Registered, staff: User, upstream: ScriptedUpstream
) -> None:
    Merchant.objects.update(is_repeat_refused=True)
    form = opened(client, owner)
    answers = [form.send("place").url for _press in range(3)]
    assert len(set(answers)) == 1
    assert (orders(), len(upstream.requests), AuditRow.objects.filter(user=staff).count()) == ((1, 0), 1, 1)


def test_a_used_form_with_other_values_is_refused_once_and_then_meant(
    client: Client, owner: Registered, staff: User
) -> None:
    form = opened(client, owner)
    form.send("place")
    answer = form.send("place", amount="2000")
    first = Payment.objects.get()
    assert faults(answer)[""] == (
        f'This form has already placed <a href="/admin/records/payment/{first.pk}/change/">{first.payment_id}'
        "</a>, with other values. Press the button again to place another."
    )
    again = {**form.fields, "form": answer.context["form_token"]}
    assert creating.Form(client, PAYMENT_PAGE, again).send("place", amount="2000").status_code == 302
    assert sorted(Payment.objects.values_list("requested_amount", flat=True)) == [1000, 2000]


def test_a_used_form_places_nothing_for_another_merchant_either(
    client: Client, owner: Registered, staff: User
) -> None:
    rival = creating.make_owner("Rival")
    form = opened(client, owner)
    form.send("place")
    theirs: dict[str, Any] = {"merchant": rival.merchant.pk, "channel": rival.wallets[0].pk}
    answer = form.send("place", **theirs)
    assert "This form has already placed" in faults(answer)[""]
    assert orders() == (1, 0)
    again = {**form.fields, **theirs, "form": answer.context["form_token"]}
    assert creating.Form(client, PAYMENT_PAGE, again).send("place").status_code == 302
    assert Payment.objects.latest("id").merchant == rival.merchant


@pytest.mark.parametrize("token", ["", "x", "WyJhIl0:1:x"])
def test_a_form_that_is_not_ours_places_nothing(
    client: Client, owner: Registered, staff: User, token: str
) -> None:
    answer = opened(client, owner, form=token).send("place")
    assert faults(answer)[""] == (
        "This form was not opened by you here. Nothing was placed; press the button again."
    )
    assert orders() == (0, 0)
    form = {**opened(client, owner).fields}
    client.force_login(factories.make_operator("other"))
    assert "" in faults(creating.Form(client, PAYMENT_PAGE, form).send("place"))
    assert orders() == (0, 0)


def test_test_orders_stay_out_of_statistics_unless_asked_for(
    client: Client, owner: Registered, staff: User
) -> None:
    opened(client, owner).send("place")

    def figures(query: str) -> str:
        page = client.get(f"/admin/statistics/services/?created=today&{query}").content.decode()
        return page.partition("<main")[2]

    tables = {query: figures(query).partition("<tbody")[2] for query in ("", "is_test=in", "is_test=only")}
    shown = {query: "SVC0001" in table for query, table in tables.items()}
    assert shown == {"": False, "is_test=in": True, "is_test=only": True}


def test_the_short_path_leads_to_the_page_with_its_choices(
    client: Client, owner: Registered, staff: User
) -> None:
    asked = {"merchant": owner.merchant.pk, "service": "SVC0001", "amount": "700", "number": CARD}
    page = client.get("/OperationCreatePayment", asked, follow=True)
    assert page.redirect_chain[0][0].startswith(PAYMENT_PAGE)
    assert (page.context["entry"].amount, page.context["entry"].fields["number"]) == ("700", "")
    assert page.context["quote"] == "Fee 1.40; 698.60 CNY are credited when exactly this amount is paid."
    assert f'title="{RANGE}"' in page.content.decode()


def test_of_several_merchants_one_is_chosen_first(client: Client, owner: Registered, staff: User) -> None:
    """Source: seed 002, Permission Details (1021): must select the target merchant first."""
    creating.make_owner("Rival")
    first = client.get(PAYMENT_PAGE).content.decode()
    assert ("Choose a merchant" in first, "create-service" in first) == (True, False)
    assert faults(opened(client, owner, merchant="").send("place"))["merchant"] == "Choose a merchant."
    chosen = client.post(PAYMENT_PAGE, {"merchant": owner.merchant.pk}).content.decode()
    assert "create-service" in chosen
    assert orders() == (0, 0)
