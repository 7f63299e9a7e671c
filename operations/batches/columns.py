"""The columns of a batch's file: what every payout has, and what the service's type asks for.

Source: backoffice.md, Required fields by service type.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels import queries as channel_queries
from channels.models import RequiredField, Service

Words = str | Promise
Field = RequiredField.Field

ORDER_NO = "merchant_order_no"
AMOUNT = "amount"
CURRENCY = "currency"
BRANCH = "bank_branch"
# Of a file that was given back: what is wrong with each row. It may come again with the mended file.
REMARKS = _("What is wrong")
# What is never shown whole: complaints show the end of it.
PERSONAL = frozenset({Field.NUMBER.value, Field.PHONE.value, Field.ID_NUMBER.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileColumn:
    """A column: its key, the title in the file, whether each row must fill it, and a hint with an example."""

    key: str
    title: Words
    is_required: bool
    hint: Words
    example: str = ""

    @property
    def heading(self) -> str:
        """The title as it stands in the template; a star marks what must be filled."""
        return f"{self.title} *" if self.is_required else str(self.title)


_TEXTS: dict[str, tuple[Words, Words, str]] = {
    ORDER_NO: (
        _("Merchant order no."),
        _("Your own number, used once: ASCII letters, digits and signs, at most 64. Empty: one is made."),
        "SALARY-2026-11-0001",
    ),
    AMOUNT: (_("Amount"), _("A plain number with a point, without thousands separators."), "1250.50"),
    CURRENCY: (_("Currency"), _("May stay empty; where it is given it must be the service's."), ""),
    Field.NAME.value: (_("Recipient name"), _("As the bank knows it, at most 64 characters."), "Zhang San"),
    Field.NUMBER.value: (
        _("Account number"),
        _("Card or account, 4 to 64 letters and digits; blanks between them do not matter."),
        "6222021234567890123",
    ),
    Field.BANK.value: (_("Bank code"), _("Code, id or name of a bank of the sheet “Banks”."), ""),
    BRANCH: (_("Bank branch"), _("May stay empty; at most 128 characters."), ""),
    Field.PHONE.value: (_("Phone"), _("5 to 20 digits, perhaps with a plus in front."), "+8613800000000"),
    Field.ID_NUMBER.value: (_("ID number"), _("5 to 32 letters and digits."), "11010119900307451X"),
    Field.IFSC_CODE.value: (_("IFSC code"), _("Four letters, a zero, six letters or digits."), "HDFC0001234"),
}


def columns_of(service: Service) -> list[FileColumn]:
    """Return the columns of a file of payouts of the service, in their order."""
    declared = [field for field in channel_queries.fields_of(service) if field.field in _TEXTS]
    columns = [
        _column(ORDER_NO, is_required=False),
        _column(AMOUNT, is_required=True),
        _column(CURRENCY, is_required=False),
        *(_column(field.field, is_required=field.is_required_in_forms) for field in declared),
    ]
    if any(field.field == Field.BANK for field in declared):
        columns.append(_column(BRANCH, is_required=False))
    return columns


def _column(key: str, *, is_required: bool) -> FileColumn:
    title, hint, example = _TEXTS[key]
    return FileColumn(key=key, title=title, is_required=is_required, hint=hint, example=example)


def folded(title: str) -> str:
    """Return how a title is compared: case, width, blanks, and the star behind it do not matter."""
    plain = unicodedata.normalize("NFKC", title).replace("*", " ").replace("_", " ")
    return " ".join(plain.casefold().split())


def by_title(columns: list[FileColumn]) -> dict[str, FileColumn]:
    """Return the columns by their folded title and by their folded key."""
    found = {folded(column.key): column for column in columns}
    return found | {folded(str(column.title)): column for column in columns}
