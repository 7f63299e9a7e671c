"""Walking through the page of an act as a browser would: open, look, do."""

from __future__ import annotations

import functools
from typing import Any

from django.test import Client
from django.urls import reverse

from tests.support.together import at_once


def url_of(name: str, object_id: object) -> str:
    """Return the address of an act's page."""
    return reverse(f"admin:act_{name}", args=[object_id])


def opened(client: Client, url: str) -> dict[str, str]:
    """Open the form and return what it sends by itself."""
    context: Any = client.get(url).context
    return {"form_token": context["form_token"], "seen": context["seen"]}


def looked(client: Client, url: str, **typed: str) -> Any:
    """Fill the form in and go on to the table of before and after."""
    return client.post(url, {**opened(client, url), "step": "look", "reason": "because", **typed})


def sent_of(look: Any, **typed: str) -> dict[str, str]:
    """Return what the button of the table sends."""
    context = look.context
    kept = {"form_token": context["form_token"], "seen": context["seen"], "step": "do", "reason": "because"}
    return {**kept, **typed}


def done(client: Client, url: str, **typed: str) -> Any:
    """Walk the whole way."""
    return client.post(url, sent_of(looked(client, url, **typed), **typed))


def done_at_once(client: Client, url: str, *, count: int, **typed: str) -> list[Any]:
    """Walk up to the table, and press its button so many times at once; return the answers."""
    sent = sent_of(looked(client, url, **typed), **typed)
    clients = [Client() for _number in range(count)]
    for each in clients:
        each.cookies = client.cookies
    return at_once([functools.partial(each.post, url, sent) for each in clients])


def table(response: Any) -> list[tuple[str, str, str]]:
    """Return the rows of before and after as text."""
    return [(str(row.label), _text(row.before), _text(row.after)) for row in response.context["rows"]]


def _text(value: object) -> str:
    text, is_inside = "", False
    for character in str(value):
        is_inside = character == "<" or (is_inside and character != ">")
        text += "" if is_inside or character == ">" else character
    return " ".join(text.split())


def complaints(response: Any) -> dict[str, list[str]]:
    """Return what the page finds wrong, by field."""
    return {name: list(words) for name, words in response.context["form"].errors.items()}
