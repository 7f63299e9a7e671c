"""Sending a page's form back as a browser would, with some fields typed anew."""

from __future__ import annotations

from typing import Any

from django.test import Client


def opened(client: Client, url: str) -> dict[str, Any]:
    """Return what the form of a page would send, hidden fields and inlines included."""
    context: Any = client.get(url).context
    data: dict[str, Any] = {}
    form = context["adminform"].form
    for inline in context["inline_admin_formsets"]:
        for bound in inline.formset.management_form:
            data[bound.html_name] = bound.value()
        for row in inline.formset.forms:
            data |= _of(row)
    return data | _of(form)


def _of(form: Any) -> dict[str, Any]:
    sent = {}
    for bound in form:
        value = bound.value()
        # A browser sends nothing for an empty checkbox, and nothing for a disabled field.
        if bound.field.disabled or value is None or value is False:
            continue
        sent[bound.html_name] = (
            [getattr(item, "pk", item) for item in value] if isinstance(value, list) else value
        )
    return sent


def errors(response: Any) -> dict[str, list[str]]:
    """Return every complaint of a page's form and inlines, by field."""
    found = {name: list(words) for name, words in response.context["adminform"].form.errors.items()}
    for inline in response.context["inline_admin_formsets"]:
        for row in inline.formset.forms:
            found |= {f"{row.prefix}-{name}": list(words) for name, words in row.errors.items()}
    return found
