"""The pages for merchants' engineers in a real browser: the calculator is right, everything fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from diamondpay import environment
from diamondpay.lib import signing
from merchants.api.payment_detail import reference as detail
from tests.admin import chromium
from tests.admin.chromium import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
PUBLISHED = json.loads((environment.ROOT / "tests" / "lib" / "vectors.json").read_text())
VECTORS = [
    (sign_type, vector)
    for group, sign_type in (("gateway_md5", "MD5"), ("gateway_hmac_sha256", "HMAC-SHA256"))
    for vector in PUBLISHED[group]
]
# What is easily got wrong: order of "_", empty and null, 0, long numbers, arrays, quotes, other scripts.
HARD: dict[str, object] = {
    "amount": 123456789012345678901,
    "amount_x": 0,
    "Upper": "first",
    "last_numbers": ["12345", "6\"7", "王"],
    "memo": "",
    "name": "Ærøskøbing 王小头 😀",
    "nothing": None,
    "url": "https://a.example/?x=1&y=%20",
    "deep": {"b": [1, True, None], "a": {}},
    "yes": True,
    "sign_type": "MD5",
    "sign": "to be left out",
}  # fmt: skip


@pytest.fixture
def gateway(browser: Browser, live_server: LiveServer) -> Iterator[Visit]:
    """The gateway page; whatever a test does there, the browser has nothing to complain of."""
    with chromium.visit(browser, live_server.url) as visit:
        assert visit.open("/docs/gateway/") == 200
        yield visit
        assert visit.complaints == []


def calculate(visit: Visit, params: str, key: str, sign_type: str) -> None:
    for name, text in (("params", params), ("key", key)):
        visit.page.fill(f"[data-field={name}]", text)
    visit.page.select_option("[data-field=sign_type]", sign_type)


def shown(visit: Visit, name: str) -> Any:
    return visit.page.locator(f"[data-output={name}]")


@pytest.mark.parametrize(("sign_type", "vector"), VECTORS)
def test_the_calculator_reproduces_the_published_vectors(
    gateway: Visit, sign_type: str, vector: dict[str, Any]
) -> None:
    calculate(gateway, json.dumps(vector["params"]), vector["key"], sign_type)
    expect(shown(gateway, "signature")).to_have_text(vector["sign"])
    assert shown(gateway, "canonical").text_content() == signing.canonical(vector["params"])
    body = json.loads(shown(gateway, "body").text_content())
    kind = {} if sign_type == "MD5" else {"sign_type": sign_type}
    assert body == {**vector["params"], **kind, "sign": vector["sign"]}


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
def test_the_calculator_agrees_with_the_api_on_hard_values(gateway: Visit, sign_type: str) -> None:
    calculate(gateway, json.dumps(HARD), "key&=王", sign_type)
    expect(shown(gateway, "signature")).to_have_text(signing.sign(HARD, "key&=王", sign_type))
    assert shown(gateway, "canonical").text_content() == signing.canonical(HARD)
    assert "memo, nothing, sign, sign_type" in shown(gateway, "left").inner_text()


def test_the_offered_examples_are_signed_as_published(gateway: Visit) -> None:
    offered = gateway.page.locator("[data-field=vector] option")
    assert offered.count() == 3
    for position in range(3):
        wanted = offered.nth(position).get_attribute("data-sign")
        gateway.page.select_option("[data-field=vector]", index=position)
        expect(shown(gateway, "signature")).to_have_text(wanted or "missing")


def test_md5_is_right_for_every_length_around_its_blocks(gateway: Visit) -> None:
    texts = ["x" * length for length in range(131)] + ["王" * 41, "\u0000", "😀"]
    found = gateway.page.evaluate("(texts) => texts.map(window.gatewaySigning.md5)", texts)
    assert found == [hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() for text in texts]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "“{” expected"),
        ("[1]", "“{” expected"),
        ('{"a": 1, "a": 2}', "“a” is given twice"),
        ('{"a": 01}', "“,” or “}” expected"),
        ('{"a": NaN}', "a value expected"),
        ('{"a": 1} x', "the end expected"),
    ],
)
def test_the_calculator_says_what_is_wrong_and_signs_nothing(gateway: Visit, typed: str, words: str) -> None:
    gateway.page.fill("[data-field=params]", typed)
    expect(gateway.page.locator("[data-fault=params]")).to_contain_text(words)
    assert shown(gateway, "signature").text_content() == ""
    assert gateway.page.input_value("[data-field=params]") == typed


def test_the_calculator_finds_where_a_strangers_string_differs(gateway: Visit) -> None:
    calculate(gateway, '{"a": "1", "b": "2"}', "key", "MD5")
    gateway.page.fill("[data-field=own]", "a=1&c=2")
    expect(shown(gateway, "own-verdict")).to_contain_text(
        "Different from character 5 on: yours “c=2”, ours “b=2”."
    )
    gateway.page.fill("[data-field=own]", "a=1&b=2")
    expect(shown(gateway, "own-verdict")).to_have_text("The same.")


def test_the_other_calculator_reproduces_the_published_vector_and_follows_what_is_typed(
    browser: Browser, live_server: LiveServer
) -> None:
    (vector,) = PUBLISHED["transaction_request_hmac_sha256_upper_hex"]
    with chromium.visit(browser, live_server.url) as visit:
        visit.open("/docs/transaction-request/")
        expect(shown(visit, "signature")).to_have_text(vector["signature"])
        for name in ("access_key", "secret_key"):
            visit.page.fill(f"[data-field={name}]", name)
        visit.page.fill("[data-field=timestamp]", "1625546438")
        expect(shown(visit, "fault")).to_contain_text("no time in milliseconds")
        visit.page.click("[data-now]")
        expect(shown(visit, "fault")).to_have_text("")
        moment = visit.page.input_value("[data-field=timestamp]")
        wanted = signing.access_signature(access_key="access_key", secret_key="secret_key", timestamp=moment)
        expect(shown(visit, "signature")).to_have_text(wanted)
        assert shown(visit, "message").text_content() == f"access_key_{moment}"
        assert wanted in (shown(visit, "headers").text_content() or "")
        assert visit.complaints == []


def test_the_calculator_of_the_payment_detail_api_signs_the_whole_call(
    browser: Browser, live_server: LiveServer
) -> None:
    with chromium.visit(browser, live_server.url) as visit:
        visit.open("/docs/payment-detail/")
        expect(shown(visit, "signature")).to_have_text(detail.SIGNATURE)
        for name, text in (("key", "key"), ("secret", "sécret"), ("path", "/payment/createPaymentOrder")):
            visit.page.fill(f"[data-field={name}]", text)
        visit.page.select_option("[data-field=method]", "POST")
        visit.page.fill("[data-field=body]", '{"a": "王"} ')
        visit.page.fill("[data-field=timestamp]", "1712122830000")
        expect(shown(visit, "fault")).to_contain_text("no time in seconds")
        visit.page.click("[data-now]")
        expect(shown(visit, "fault")).to_have_text("")
        wanted = signing.detail_signature(
            secret="sécret", timestamp=visit.page.input_value("[data-field=timestamp]"), method="POST",
            path="/payment/createPaymentOrder", body='{"a": "王"} '.encode(),
        )  # fmt: skip
        expect(shown(visit, "signature")).to_have_text(wanted)
        assert f"X-PAY-SIGN: {wanted}" in (shown(visit, "headers").text_content() or "")
        assert visit.complaints == []


def test_nothing_that_is_typed_leaves_the_window(gateway: Visit) -> None:
    asked: list[str] = []
    gateway.page.wait_for_load_state("networkidle")
    gateway.page.on("request", lambda request: asked.append(request.url))
    calculate(gateway, '{"a": "1"}', "secret", "HMAC-SHA256")
    gateway.page.press("[data-field=key]", "Enter")
    expect(shown(gateway, "signature")).to_have_text(signing.sign({"a": "1"}, "secret", "HMAC-SHA256"))
    assert asked == []
    stored = gateway.page.evaluate("() => JSON.stringify({...localStorage, ...sessionStorage})")
    assert "secret" not in stored
    assert "secret" not in gateway.page.url


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")]
)
def test_the_pages_fit_and_have_no_complaints(
    browser: Browser, live_server: LiveServer, width: int, scheme: str
) -> None:
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        for path in ("/docs/", "/docs/transaction-request/", "/docs/payment-detail/", "/docs/gateway/"):
            assert visit.open(path) == 200
            assert not visit.page.evaluate(WIDE), path
        for summary in visit.page.locator(".operation > summary").all():
            summary.click()
        assert not visit.page.evaluate(WIDE)
        visit.page.locator("[data-language=go]").first.click()
        assert visit.page.locator("[data-program=go]:visible").count() == 2
        assert visit.page.locator("[data-program=python]:visible").count() == 0
        assert visit.complaints == []
