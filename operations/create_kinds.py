"""What differs between creating a deposit and creating a payout: words, addresses, rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels.models import Direction
from operations import create_offer
from records.models import Payment, Payout


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One of the two pages."""

    name: str
    direction: str
    model: type[Payment] | type[Payout]
    title: str | Promise
    view_permission: str

    @property
    def permissions(self) -> tuple[str, ...]:
        """Any of them opens the page."""
        return create_offer.RIGHTS[self.direction]

    @property
    def is_payout(self) -> bool:
        """Whether money of the merchant's is frozen and sent."""
        return self.direction == Direction.PAYOUT

    @property
    def url(self) -> str:
        """The page's address."""
        return reverse(f"admin:create_{self.name}")

    def like_url(self, order: Payment | Payout) -> str:
        """Return the address of the form filled in as this order was."""
        return reverse(f"admin:create_{self.name}_like", args=[self.number_of(order)])

    def number_of(self, order: Any) -> str:
        """Return the platform's number of an order of this kind."""
        return str(getattr(order, f"{self.name}_id"))


PAYMENT = Kind(
    name="payment", direction=Direction.DEPOSIT.value, model=Payment, title=_("Create Deposit Order"),
    view_permission="records.view_payment",
)  # fmt: skip
PAYOUT = Kind(
    name="payout", direction=Direction.PAYOUT.value, model=Payout, title=_("Create Payout Order"),
    view_permission="records.view_payout",
)  # fmt: skip
KINDS = (PAYMENT, PAYOUT)


def of(order: object) -> Kind | None:
    """Return the kind of an order, None for anything else."""
    return next((kind for kind in KINDS if isinstance(order, kind.model)), None)
