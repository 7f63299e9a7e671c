"""Reading the fields of a POST: each by the form that is written down, all faults told at once.

On the wire types are lax: numbers come as numbers or as texts of digits, account numbers as either.
"""

from __future__ import annotations

import re
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from channels.models import RequiredField
from diamondpay.lib import money
from merchants.api.gateway.errors import MalformedFields
from merchants.api.reading import REQUIRED, FieldReader

ORDER_NUMBER_LENGTH_MAX = 64
URL_LENGTH_MAX = 256
LAST_NUMBERS_MAX = 10
_WHOLE = re.compile(r"[1-9][0-9]*")
_TAIL = re.compile(r"[0-9]{3,8}")
_CURRENCY = re.compile(r"[A-Za-z]{3,8}")


class Reader(FieldReader):
    """Takes fields out of a call one by one and collects what is wrong with them."""

    order_number_length_max = ORDER_NUMBER_LENGTH_MAX
    url_length_max = URL_LENGTH_MAX

    @staticmethod
    def as_text(value: object) -> str | None:
        """Return a text, or a whole number as its digits."""
        return str(value) if type(value) in (str, int) else None

    def hundredths(self, name: str) -> Decimal:
        """Return an amount that is sent × 100, in major units."""
        found = self.present(name, required=True)
        text = str(found) if type(found) in (str, int) else ""
        if found is None or not self._is_whole(name, text):
            return Decimal(0)
        try:
            return money.from_hundredths(int(text))
        except money.AmountTooLarge as fault:
            self.faults[name] = fault.reason
            return Decimal(0)

    def unix_seconds(self, name: str) -> None:
        """Check that a required time is given in plain seconds."""
        found = self.present(name, required=True)
        text = str(found) if type(found) in (str, int) else ""
        if found is not None and (_WHOLE.fullmatch(text) is None or len(text) > 18):
            self.faults[name] = _("must be Unix seconds, such as 1707220575")

    def currency(self, name: str) -> str:
        """Return a currency code in capitals."""
        text = self.text(name, length_max=8)
        if text and _CURRENCY.fullmatch(text) is None:
            self.faults[name] = _("must be a currency code such as CNY")
        return text.upper()

    def last_numbers(self) -> tuple[str, ...]:
        """Return the tails of the payer's accounts, from `last_number` or from the array `last_numbers`."""
        one, many = self.params.get("last_number"), self.params.get("last_numbers")
        found: list[object] = [] if one in (None, "") else [one]
        if isinstance(many, list):
            found += many
        elif many not in (None, ""):
            self.faults["last_numbers"] = _("must be an array of texts")
        name = "last_numbers" if many else "last_number"
        tails = [str(tail) if type(tail) in (str, int) else "" for tail in found]
        if len(tails) > LAST_NUMBERS_MAX or any(_TAIL.fullmatch(tail) is None for tail in tails):
            self.faults[name] = _("must be the last 3 to 8 digits of the account")
        return tuple(tails)

    def check_for(self, *, direction: str) -> None:
        """Refuse the call when anything was wrong, naming also what its service needs and does not get.

        Raises: MalformedFields with every fault.
        """
        if not self.faults:
            return
        service_id = self.params.get("service_id")
        if type(service_id) is str and "service_id" not in self.faults:
            declared = RequiredField.objects.filter(
                service_type__services=service_id, direction=direction, is_required_over_api=True
            )
            for field in declared.values_list("field", flat=True):
                if field not in self.faults and not self._has(field):
                    self.faults[field] = REQUIRED
        raise MalformedFields(self.faults)

    def _has(self, field: str) -> bool:
        names = {
            "bank": ("bank_id", "bank_code", "bank_name"),
            "last_number": ("last_number", "last_numbers"),
        }
        return any(self.params.get(name) for name in names.get(field, (field,)))

    def _is_whole(self, name: str, text: str) -> bool:
        if _WHOLE.fullmatch(text) is None:
            words = _("must be a positive whole number, the amount × 100, such as 50000 for 500.00")
            self.faults[name] = words
            return False
        return True
