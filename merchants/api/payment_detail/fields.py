"""Reading the fields of a POST: each by the form that is written down, all faults told at once.

Types are strict: numbers are whole numbers, an amount is its digits as a text.
Source: payment-detail-api.md, Endpoints.
"""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import destinations, http, money
from merchants.api.reading import FieldReader

ORDER_NUMBER_LENGTH_MAX = 100
URL_LENGTH_MAX = 256
DESCRIPTION_LENGTH_MAX = 200
WHOLE_MAX = 2**31 - 1
# As tokens are named; no currency's code is longer.
SYMBOL_LENGTH_MAX = 16
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{1,15}", re.ASCII)


class Reader(FieldReader):
    """Takes fields out of a call one by one and collects what is wrong with them."""

    order_number_length_max = ORDER_NUMBER_LENGTH_MAX
    url_length_max = URL_LENGTH_MAX

    def whole(self, name: str) -> int:
        """Return a required whole number above 0."""
        found = self.present(name, required=True)
        if found is None:
            return 0
        if type(found) is not int or not 1 <= found <= WHOLE_MAX:
            self.faults[name] = _("must be a whole number above 0")
            return 0
        return found

    def switch(self, name: str) -> bool:
        """Return a required switch, which is 0 or 1 on the wire."""
        found = self.present(name, required=True)
        if found is not None and (type(found) is not int or found not in (0, 1)):
            self.faults[name] = _("must be 0 or 1")
        return found == 1

    def symbol(self, name: str) -> str:
        """Return the symbol of a currency, in capitals."""
        text = self.text(name, length_max=SYMBOL_LENGTH_MAX, required=True)
        if text and name not in self.faults and _SYMBOL.fullmatch(text) is None:
            self.faults[name] = _("must be 2 to 16 capital letters or digits, such as USD or USDT")
        return text

    def amount(self, name: str) -> Decimal:
        """Return a positive amount in major units, every digit kept."""
        found = self.text(name, length_max=40, required=True)
        if not found or name in self.faults:
            return Decimal(0)
        try:
            amount = money.parse_plain(found)
        except money.MoneyError as fault:
            self.faults[name] = fault.reason
            return Decimal(0)
        if amount <= 0:
            self.faults[name] = _("must be above 0")
        elif not money.fits_book(amount):
            self.faults[name] = _("must have at most 20 digits before the point and 18 behind it")
        return amount

    def secure_url(self, name: str) -> str:
        """Return a public https address that may be called.

        http is taken only for hosts in the networks that this instance was told to trust as its own.
        """
        url = self.url(name, required=True)
        if url and name not in self.faults and urlsplit(url).scheme != "https" and not _is_own(url):
            self.faults[name] = _("must begin with https://")
        return url

    def page(self, name: str) -> str:
        """Return an address to which the payer's browser may go, "" where none is given; nobody calls it."""
        url = self.text(name, length_max=URL_LENGTH_MAX)
        if url and name not in self.faults:
            try:
                is_secure = destinations.parse_url(url).scheme == "https"
            except destinations.AddressRefused as refusal:
                self.faults[name] = refusal.reason
                return ""
            if not is_secure:
                self.faults[name] = _("must begin with https://")
        return url


def _is_own(url: str) -> bool:
    """Say whether an address may be called only because its network was opened for private use."""
    try:
        http.check_url(url, ())
    except http.AddressRefused:
        return True
    return False
