"""Parts of pages that are drawn once: the key holds all that they depend on, and what is kept is bounded."""

from __future__ import annotations

from typing import Any

from django.template import Context, Template
from django.utils import translation
from django.utils.safestring import SafeString

from diamondpay.lib import drawn

FLAG = "admin/includes/filters/flag.html"


class Option:
    """What `flag.html` looks at."""

    name = "is_test"

    def __init__(self, word: Any) -> None:
        self.options = (("0", word, False),)


def test_what_is_remembered_is_made_once_for_a_key_and_forgotten_where_there_is_too_much() -> None:
    kept: drawn.Remembered[str] = drawn.Remembered(count_max=2)
    made: list[str] = []

    def asked(name: str) -> str:
        def make() -> str:
            made.append(name)
            return name.upper()

        return kept.get(name, make)

    assert [asked(name) for name in ("a", "b", "a", "b", "c", "a")] == ["A", "B", "A", "B", "C", "A"]
    assert made == ["a", "b", "c", "a"]


def test_a_part_is_drawn_once_for_a_key_and_again_for_another() -> None:
    def of(key: str, word: str) -> str:
        return drawn.part(FLAG, key=("test", key), values=lambda: {"control": Option(word)})

    assert "One" in of("a", "one")
    assert of("a", "two") == of("a", "one")
    assert "Two" in of("b", "two")


def test_a_part_escapes_what_comes_from_people() -> None:
    html = drawn.part(FLAG, key="hostile", values=lambda: {"control": Option("<script>'\"&")})
    assert "> &lt;script&gt;&#x27;&quot;&amp;</label>" in html


def test_a_part_is_drawn_anew_in_another_language() -> None:
    page = Template('{% load drawn %}{% drawn "admin/includes/navigation.html" home_url="/" is_home=True %}')
    found = {}
    for language in ("en", "de", "en"):
        with translation.override(language):
            found[language] = page.render(Context())
    assert ('aria-current="page">Home</a>' in found["en"], "Home" in found["de"]) == (True, False)


def test_values_that_are_equal_and_read_otherwise_are_drawn_each_by_itself() -> None:
    page = Template('{% load drawn %}{% drawn "admin/includes/secret.html" value=value %}')

    def shown(value: Any) -> str:
        return page.render(Context({"value": value})).partition("<code>")[2].partition("</code>")[0]

    assert [shown(value) for value in (SafeString("<b>"), "<b>", True, 1)] == [
        "<b>", "&lt;b&gt;", "True", "1",
    ]  # fmt: skip


def test_a_part_sees_nothing_of_the_page_around_it() -> None:
    page = Template('{% load drawn %}{% drawn "admin/includes/export_indicator.html" %}')
    request = {"session": {"exports": [1]}}
    whole = Template('{% include "admin/includes/export_indicator.html" %}')
    assert "<span" in whole.render(Context({"request": request}))
    assert "<span" not in page.render(Context({"request": request}))
