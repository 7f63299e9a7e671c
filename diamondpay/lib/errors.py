"""What the business refuses, in one family of exceptions.

Every room raises these; the pages, the commands and each merchant API translate `code` into their own
language. `message` is for the reader, `details` for programs; neither may carry a card number, an ID
number, a phone number or a secret, because both are shown and logged.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

Words = str | Promise


class DomainError(Exception):
    """A refusal that the caller can understand and act upon; nothing has been changed.

    `message` replaces the class's own words where the place knows better (a range, the limit that binds).
    """

    code: ClassVar[str] = "refused"
    words: ClassVar[Words] = _("This is not possible.")

    def __init__(self, message: Words | None = None, *, details: Mapping[str, str] | None = None) -> None:
        self.message: Words = self.words if message is None else message
        self.details: Mapping[str, str] = MappingProxyType(dict(details or {}))
        super().__init__(self.message)

    def __str__(self) -> str:
        return str(self.message)


class InvalidInput(DomainError):
    """One or more fields are missing or malformed; `fields` names all of them at once with the reason."""

    code = "invalid_input"

    def __init__(self, fields: Mapping[str, Words]) -> None:
        if not fields:
            raise ValueError("InvalidInput needs at least one field")
        self.fields: dict[str, Words] = dict(fields)
        message: Words = ""
        for name, reason in self.fields.items():
            message = (
                format_lazy("{}; {}: {}", message, name, reason)
                if message
                else format_lazy("{}: {}", name, reason)
            )
        super().__init__(message, details={name: str(reason) for name, reason in self.fields.items()})


class AmountBelowMinimum(DomainError):
    """The amount is under the lower limit; the message gives the range and what binds it."""

    code = "amount_below_minimum"
    words = _("The amount is below the minimum.")


class AmountAboveMaximum(DomainError):
    """The amount is over the upper limit; the message gives the range and what binds it."""

    code = "amount_above_maximum"
    words = _("The amount is above the maximum.")


class NoAmountPossible(DomainError):
    """The limits that apply leave no amount at all (lower above upper)."""

    code = "no_amount_possible"
    words = _("The limits that apply leave no amount that is allowed.")


class ServiceUnknown(DomainError):
    """There is no such service."""

    code = "service_unknown"
    words = _("This service does not exist.")


class ServiceClosed(DomainError):
    """The service exists and is switched off."""

    code = "service_closed"
    words = _("This service is closed.")


class ServiceNotActivated(DomainError):
    """The merchant has not activated the service."""

    code = "service_not_activated"
    words = _("The merchant has not activated this service.")


class NoChannelAvailable(DomainError):
    """Routing found no channel; `details` says for each channel why it was ruled out."""

    code = "no_channel_available"
    words = _("No channel is available for this order.")


class ChannelUnknown(DomainError):
    """There is no such channel, or it is not the merchant's."""

    code = "channel_unknown"
    words = _("This channel does not exist.")


class ChannelRequired(DomainError):
    """The service is set to need the merchant channel to be named."""

    code = "channel_required"
    words = _("The merchant channel must be named for this service.")


class BankUnknown(DomainError):
    """There is no such bank."""

    code = "bank_unknown"
    words = _("This bank does not exist.")


class BankCardUnknown(DomainError):
    """There is no such bank card."""

    code = "bank_card_unknown"
    words = _("This bank card does not exist.")


class FeeTypeUnknown(DomainError):
    """The fee of the service is of a kind nobody can compute."""

    code = "fee_type_unknown"
    words = _("The type of the service fee is unknown.")


class InsufficientBalance(DomainError):
    """The wallet's available balance does not cover the amount and its fee."""

    code = "insufficient_balance"
    words = _("The available balance is not sufficient.")


class DuplicateOrderNumber(DomainError):
    """The merchant's order number is taken by an order of other content."""

    code = "duplicate_order_number"
    words = _("This order number is already used by an order with other content.")


class OrderUnknown(DomainError):
    """There is no such order for this reader; another merchant's order answers the same."""

    code = "order_unknown"
    words = _("This order does not exist.")


class StatusConflict(DomainError):
    """The order's status does not allow the wanted move; somebody else was usually first."""

    code = "status_conflict"

    def __init__(self, *, order: str, current: object, wanted: object) -> None:
        self.order, self.current, self.wanted = order, current, wanted
        message = format_lazy(
            _("Order {order} has the status “{current}” and cannot become “{wanted}”."),
            order=order,
            current=str(current),
            wanted=str(wanted),
        )
        super().__init__(message, details={"order": order, "current": str(current), "wanted": str(wanted)})


class LedgerRefused(DomainError):
    """The ledger would no longer balance, or the same effect was posted with other content."""

    code = "ledger_refused"
    words = _("The ledger refuses this posting.")


class FourEyesRequired(DomainError):
    """Another person than the one who asked must decide."""

    code = "four_eyes_required"
    words = _("A second person must approve this.")


class NotAllowed(DomainError):
    """This user may not do that."""

    code = "not_allowed"
    words = _("You are not allowed to do this.")


class Busy(DomainError):
    """The database stayed busy after every retry; nothing was changed and asking again is right."""

    code = "busy"
    words = _("The system is busy. Nothing was changed; please try again.")


class MerchantDisabled(DomainError):
    """The merchant exists and is switched off."""

    code = "merchant_disabled"
    words = _("This merchant is disabled.")
