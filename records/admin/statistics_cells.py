"""The cells of the statistics' tables, written in one go: a month has a thousand of them, and a template asks
for every word and every link of each anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from diamondpay.lib import markup

_MAIN = " card-main card-named"


class Cells:
    """Writes the cells after a row's heading. Every text is escaped here."""

    def __init__(self, kind: str) -> None:
        """Read the words of the viewer's language once; `kind` is `payment` or `payout`."""
        words = {
            "orders": gettext("Orders"), "success": gettext("Successful"), "open": gettext("Open"),
            "rate": gettext("Success rate"), "ended_rate": gettext("Of the ended"),
            "requested": gettext("Requested"), "actual": gettext("Actual"), "fee": gettext("Fee"),
            "credited": gettext("Debited") if kind == "payout" else gettext("Credited"),
        }  # fmt: skip
        self._words = {name: markup.safe(word) for name, word in words.items()}

    def row(self, row: Mapping[str, Any]) -> SafeString:
        """Return the cells of a row of figures: its currency, and what leads to the orders counted."""
        currency = f'<td class="quiet">{markup.safe(row["currency"])}</td>'
        if row["orders"] == "0":
            nothing = f'<td class="number nothing" colspan="8" data-label="{self._words["rate"]}"></td>'
            return SafeString(currency + self._none("orders") + nothing)
        urls = {name: markup.safe(url) for name, url in row["urls"].items()}
        cells = (
            self._cell("orders", row["orders"], urls["all"], css=_MAIN),
            self._cell("success", row["success"], urls["success"]),
            self._cell("open", row["open"], urls["open"], empty="0"),
            self._cell("rate", _percent(row["rate"]), urls["success"], css=f"{_MAIN} rate", empty="–"),
            self._cell("ended_rate", _percent(row["ended_rate"]), urls["ended"], empty="–"),
            self._cell("requested", row["requested"], urls["all"]),
            self._cell("actual", row["actual"], urls["success"], css=_MAIN),
            self._cell("fee", row["fee"], urls["success"]),
            self._cell("credited", row["credited"], urls["success"]),
        )
        return SafeString(currency + "".join(cells))

    def bucket(self, row: Mapping[str, Any]) -> SafeString:
        """Return the cells of a bucket of amounts."""
        if not row["orders"]:
            rest = '<td class="number nothing">0</td><td class="number nothing">–</td>'
            return SafeString(self._none("orders") + rest)
        urls = {name: markup.safe(url) for name, url in row["urls"].items()}
        cells = (
            self._cell("orders", row["orders"], urls["all"], css=_MAIN),
            self._cell("success", row["success"], urls["success"], css=_MAIN),
            self._cell("rate", _percent(row["rate"]), urls["success"], css=_MAIN),
        )
        return SafeString("".join(cells))

    def _none(self, name: str) -> str:
        return f'<td class="number{_MAIN} nothing" data-label="{self._words[name]}">0</td>'

    def _cell(self, name: str, text: str, url: str, *, css: str = "", empty: str = "") -> str:
        """Return a figure as a link, or what stands where there is none."""
        shown = (
            f'<a href="{url}">{markup.safe(text)}</a>' if text else f'<span class="nothing">{empty}</span>'
        )
        return f'<td class="number{css}" data-label="{self._words[name]}">{shown}</td>'


def _percent(rate: Any) -> str:
    return "" if rate is None else f"{rate} %"
