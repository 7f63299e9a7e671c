"""Reading the fields of a POST: each by the form that is written down, all faults told at once, by path.

Types are strict: texts are texts, switches are true or false. An amount is a JSON number or its digits.
Source: transaction-request-api.md, Endpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.models import PaymentMethod
from diamondpay.lib import money
from diamondpay.lib.signing import NumberText
from merchants.api.reading import FieldReader

ORDER_NUMBER_LENGTH_MAX = 100
URL_LENGTH_MAX = 200
NAME_LENGTH_MAX = 64
CARD_LENGTH_MAX = 64
BANK_LENGTH_MAX = 128
# The bits of paymentMethod.method, in the order in which services are looked for.
METHOD_BITS: Mapping[int, PaymentMethod] = {
    1: PaymentMethod.BANK_CARD,
    2: PaymentMethod.WECHAT_PAY,
    4: PaymentMethod.ALIPAY,
    8: PaymentMethod.BLOCKCHAIN,
    16: PaymentMethod.ACCOUNT,
}
MILLISECONDS_MIN, MILLISECONDS_MAX = 10**11, 10**14


class Reader(FieldReader):
    """Takes fields out of a call one by one, by paths such as `client.realName`, and collects faults."""

    order_number_length_max = ORDER_NUMBER_LENGTH_MAX
    url_length_max = URL_LENGTH_MAX

    def amount(self, path: str) -> Decimal:
        """Return a positive amount in major units, every digit kept."""
        found = self.present(path, required=True)
        if found is None:
            return Decimal(0)
        if type(found) not in (str, int, NumberText):
            self.faults[path] = _("must be a number such as 1234.56")
            return Decimal(0)
        try:
            amount = money.parse_plain(str(found))
        except money.MoneyError as fault:
            self.faults[path] = fault.reason
            return Decimal(0)
        if amount <= 0:
            self.faults[path] = _("must be above 0")
        elif not money.fits_book(amount):
            self.faults[path] = _("must have at most 20 digits before the point and 18 behind it")
        return amount

    def one_of(self, path: str, choices: Sequence[str], *, default: str = "") -> str:
        """Return a text that must be one of the choices; `default` where it may be left out."""
        found = self.text(path, length_max=16, required=not default)
        if path in self.faults:
            return ""
        if found and found not in choices:
            self.faults[path] = format_lazy(_("must be one of {choices}"), choices=", ".join(choices))
        return found or default

    def methods(self, path: str) -> list[PaymentMethod]:
        """Return the payment methods of a bit mask, the lowest bit first."""
        found = self.present(path, required=True)
        if found is None:
            return []
        if type(found) is not int or not 1 <= found < 2 ** len(METHOD_BITS):
            self.faults[path] = _(
                "must be a sum of 1 BankCard, 2 WeChatPay, 4 Alipay, 8 Blockchain, 16 Account"
            )
            return []
        return [method for bit, method in METHOD_BITS.items() if found & bit]

    def switch(self, path: str) -> bool:
        """Return true or false; false when it is left out."""
        found = self.present(path, required=False, is_text=False)
        if found is not None and type(found) is not bool:
            self.faults[path] = _("must be true or false")
        return found is True

    def milliseconds(self, path: str) -> None:
        """Check a time that may be left out."""
        found = self.present(path, required=False, is_text=False)
        if found is not None and (type(found) is not int or not MILLISECONDS_MIN <= found < MILLISECONDS_MAX):
            self.faults[path] = _("must be UTC milliseconds, such as 1741724988336")

    def currencies(
        self, asked_path: str, fiat_path: str, *, settlement: str, fiat: Sequence[str]
    ) -> tuple[str, str]:
        """Return the currency that the amount is in, and the fiat: the same, or settlement units."""
        fiat_currency = self.one_of(fiat_path, fiat)
        asked = self.one_of(asked_path, (settlement, *fiat))
        is_told = asked_path not in self.faults and fiat_path not in self.faults
        if is_told and asked not in (settlement, fiat_currency):
            words = _("must be {settlement} or the same as {name}")
            self.faults[asked_path] = format_lazy(words, settlement=settlement, name=fiat_path)
        return asked, fiat_currency
