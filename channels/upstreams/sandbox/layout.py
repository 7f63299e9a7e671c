"""What all pages of the sandbox have in common: their frame, their headers, how amounts are written."""

from __future__ import annotations

from decimal import Decimal
from html import escape

from channels.upstreams.sandbox.server import Answer

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
}


def page(title: str, body: str, *, status: int = 200, refresh_seconds: int = 0) -> Answer:
    """Return a page; `body` is markup, and with `refresh_seconds` the page is loaded anew by itself."""
    refresh = f'<meta http-equiv="refresh" content="{refresh_seconds}">' if refresh_seconds else ""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/style.css"></head>'
        '<body><header><a href="/">Sandbox upstream</a><span>no real money</span></header>'
        f"{body}</body></html>"
    )
    return Answer(status, text.encode(), content_type="text/html; charset=utf-8", headers=_HEADERS)


def money(amount: str, currency: str) -> str:
    """Return an amount for reading, with its currency, as markup. Units: major units."""
    value = Decimal(amount)
    shown = f"{value:,.2f}" if value == value.quantize(Decimal("0.01")) else f"{value:,f}"
    return f"{shown} {escape(currency)}"
