"""The look, without a browser: contrast, navigation, zone, pages of refusal. Source: look.md."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client, RequestFactory
from django.views import defaults

from diamondpay.models import Preference, User
from tests import factories
from tests.admin import book

FOLDER = Path(str(finders.find("backoffice/tokens.css"))).parent
TONES = ("progress", "success", "failed", "closed", "review")
GROUNDS = ("paper", "paper-raised", "paper-sunk", "hover", "accent-tint")
INKS = ("ink", "ink-quiet", "accent", "accent-strong", "retrying", "danger", *TONES)
PAIRS = [
    *((ink, ground) for ink in INKS for ground in GROUNDS),
    *((tone, f"{tone}-tint") for tone in TONES),
    *(("ink", f"{tone}-tint") for tone in TONES),
    ("accent-ink", "accent"), ("accent-ink", "accent-strong"), ("danger-ink", "danger"),
]  # fmt: skip


def colours() -> dict[str, tuple[str, str]]:
    """Return the colours of both themes by their names."""
    text = (FOLDER / "tokens.css").read_text()
    found = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", text)
    return {name: (light, dark) for name, light, dark in found}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours. Source: WCAG 2.2, relative luminance."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_ink_is_readable_on_every_ground_it_may_stand_on(theme: int) -> None:
    named = colours()
    faint = [
        f"{ink} on {ground}: {contrast(named[ink][theme], named[ground][theme]):.2f}"
        for ink, ground in PAIRS
        if contrast(named[ink][theme], named[ground][theme]) < 4.5
    ]
    assert faint == []
    assert round(contrast("#ffffff", "#767676"), 2) == 4.54


def test_edges_of_fields_are_seen_on_the_paper() -> None:
    light, dark = colours()["line-field"], colours()["paper"]
    assert [round(contrast(light[theme], dark[theme]), 1) >= 3 for theme in (0, 1)] == [True, True]


def test_a_literal_colour_stands_in_the_tokens_alone() -> None:
    literal = re.compile(r"#[0-9a-fA-F]{3,8}\b(?![^(]*\.svg)|\b(?:rgba?|hsla?|oklch)\(")
    found = {
        path.name: literal.findall(re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S))
        for path in FOLDER.glob("*.css")
        if path.name != "tokens.css"
    }
    assert {name: colours for name, colours in found.items() if colours} == {}


@pytest.fixture
def boss(client: Client) -> User:
    """A signed-in superuser."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


@pytest.mark.django_db
def test_the_navigation_marks_the_page_and_folds_what_is_rare(client: Client, boss: User) -> None:
    page = client.get("/admin/records/payment/").content.decode()
    navigation = page.partition('<nav id="navigation"')[2].partition("</nav>")[0]
    current = re.findall(r'aria-current="page">([^<]+)<', navigation)
    folded = re.findall(r"<details( open)?>.*?</details>", navigation, flags=re.S)
    assert current == ["Deposit Order Records"]
    assert folded
    assert not any(folded)
    page = client.get("/admin/records/posting/").content.decode()
    navigation = page.partition('<nav id="navigation"')[2].partition("</nav>")[0]
    assert re.findall(r"<details( open)?>", navigation)[0] == " open"


@pytest.mark.django_db
def test_the_zone_a_person_chooses_is_the_zone_of_the_times_they_read(client: Client, boss: User) -> None:
    registered = book.merchant("Acme")
    payment = book.deposit(registered, "D-1", is_paid=False)
    url = f"/admin/records/payment/{payment.pk}/change/"
    shown = {}
    for zone, offset in (("Asia/Kathmandu", timedelta(hours=5, minutes=45)), ("", timedelta(hours=8))):
        assert client.post("/admin/preferences/", {"time_zone": zone}).status_code == 302
        page = client.get(url).content.decode()
        local = payment.created_at + offset
        shown[zone] = local.strftime("%Y-%m-%d %H:%M:%S") in page
        assert ("UTC+5:45 <span>Kathmandu" in page) is (zone != "")
        assert ("UTC+8 <span>Shanghai" in page) is (zone == "")
    assert shown == {"Asia/Kathmandu": True, "": True}
    assert Preference.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Etc/GMT+3", "x" * 9000])
def test_a_zone_that_is_none_is_refused_in_words(client: Client, boss: User, zone: str) -> None:
    response = client.post("/admin/preferences/", {"time_zone": zone})
    assert response.status_code == 200
    assert "is not one of the available choices" in response.content.decode()
    assert Preference.objects.count() == 0


@pytest.mark.django_db
def test_pages_of_refusal_say_what_happened_and_where_to_go(client: Client, boss: User) -> None:
    clerk = factories.make_user("clerk")
    missing = client.get("/nowhere")
    client.force_login(clerk)
    refused = client.get("/admin/records/payment/")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(boss)
    late = strict.post("/admin/preferences/", {"time_zone": ""})
    for response, status, words in (
        (missing, 404, "There is nothing at this address"),
        (refused, 403, "Your role does not open this page"),
        (late, 403, "This form is out of date"),
    ):
        page = response.content.decode()
        assert (response.status_code, words in page, 'href="/admin/"' in page) == (status, True, True)
        assert "default-src 'none'" in response["Content-Security-Policy"]


def test_a_fault_of_ours_is_told_in_words(rf: RequestFactory) -> None:
    response = defaults.server_error(rf.get("/admin/"))
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()


@pytest.mark.django_db
def test_an_api_path_that_is_none_answers_in_json(client: Client) -> None:
    response = client.get("/gateway/api/v9/nowhere")
    assert response.json()["error_code"]
    assert response["Content-Type"].startswith("application/json")
