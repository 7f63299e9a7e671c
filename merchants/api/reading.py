"""What every API's reading of a POST has in common: fields taken one by one, all faults told at once.

Each API says in a class of its own which types it takes on the wire and how long its texts may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from diamondpay.lib import destinations, errors, http
from merchants.api.characters import bad_character, bad_order_character, shown
from merchants.models import Merchant
from operations import offers

REQUIRED = _("required")
# A merchant gives the same few hosts with every order.
_RECENT_NAMES = destinations.RecentNames()


@dataclass(frozen=True, slots=True)
class Asked:
    """The numbers that a question names, or what is wrong with them.

    They are read before it is known who asks, and what is wrong is told only to whom was let in.
    """

    given: Mapping[str, str]
    fault: Exception | None = None

    @classmethod
    def by(cls, read: Callable[[Request], Mapping[str, str]], request: Request) -> Asked:
        """Return what `read` finds in a question."""
        try:
            return cls(read(request))
        except (errors.InvalidInput, SuspiciousOperation) as fault:
            return cls({}, fault)

    def check(self) -> None:
        """Refuse the question where anything was wrong. Raises: InvalidInput; SuspiciousOperation."""
        if self.fault is not None:
            raise self.fault


class FieldReader:
    """Takes fields out of a call one by one, by paths such as `client.realName`, and collects faults.

    Texts are texts here; an API that also takes others overrides `as_text`.
    """

    order_number_length_max: ClassVar[int]
    url_length_max: ClassVar[int]

    def __init__(self, params: Mapping[str, object]) -> None:
        self.params = params
        self.faults: dict[str, errors.Words] = {}

    @staticmethod
    def as_text(value: object) -> str | None:
        """Return a value as the text that it is on this API's wire, None where it is none."""
        return value if type(value) is str else None

    def text(self, path: str, *, length_max: int, required: bool = False) -> str:
        """Return a text without control or direction characters."""
        found = self.present(path, required=required)
        if found is None:
            return ""
        text = self.as_text(found)
        if text is None:
            self.faults[path] = _("must be a text")
            return ""
        bad = bad_character(text)
        if bad is not None:
            self.faults[path] = format_lazy(_("contains the character {character}"), character=shown(bad))
        elif len(text) > length_max:
            self.faults[path] = format_lazy(_("longer than {count} characters"), count=length_max)
        return text

    def order_number(self, path: str) -> str:
        """Return a merchant's order number: ASCII letters, digits and signs, without blanks, & and =."""
        text = self.text(path, length_max=self.order_number_length_max, required=True)
        bad = bad_order_character(text)
        if bad is not None:
            words = _("contains the character {character}; use ASCII letters, digits and - _ . : /")
            self.faults[path] = format_lazy(words, character=shown(bad))
        return text

    def url(self, path: str, *, required: bool = False) -> str:
        """Return an address that may be called: its form and every address behind its host are looked at."""
        url = self.text(path, length_max=self.url_length_max, required=required)
        if url and path not in self.faults:
            try:
                http.check_url(url, settings.NOTIFICATION_PRIVATE_NETWORKS, names=_RECENT_NAMES)
            except http.AddressRefused as refusal:
                self.faults[path] = refusal.reason
        return url

    def pardon_known_url(self, path: str, *, merchant: Merchant, merchant_order_no: str) -> None:
        """Let the repeat of an order pass whose address was good when it was made and cannot be found now.

        A "no" to a repeat would say that there is no such order. Another address is another content all the
        same.
        """
        if set(self.faults) == {path} and offers.is_number_taken(
            merchant=merchant, merchant_order_no=merchant_order_no
        ):
            self.faults.clear()

    def check(self) -> None:
        """Refuse the call when anything was wrong.

        Raises: InvalidInput with every fault.
        """
        if self.faults:
            raise errors.InvalidInput(self.faults)

    def present(self, path: str, *, required: bool, is_text: bool = True) -> object:
        """Return what stands at a path, None where nothing does.

        Absent and null are nothing; so is "", but where no text is wanted.
        """
        section, dot, name = path.rpartition(".")
        holder: object = self.params
        if dot:
            holder = self.params.get(section)
            if holder is not None and not isinstance(holder, dict):
                self.faults[section] = _("must be an object")
                return None
        found = holder.get(name) if isinstance(holder, Mapping) else None
        if found is not None and (found != "" or not is_text):
            return found
        if required and section not in self.faults:
            self.faults[path] = REQUIRED
        return None
