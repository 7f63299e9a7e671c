"""How a call can end other than well."""

from __future__ import annotations


class DiamondPayError(Exception):
    """Whatever this package raises."""


class Refused(DiamondPayError):
    """The API said no, by a `code` of its own and a `message` in words. Nothing was created."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class OutcomeUnknown(DiamondPayError):
    """No answer that can be read. What was asked for may have been done: ask for the order by its number."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SignatureInvalid(DiamondPayError):
    """An answer or a notification that was not signed with the merchant's key, or is too old."""
