"""The people and merchants whom tests speak of, as fixtures."""

from __future__ import annotations

import pytest

from diamondpay.models import User
from merchants.registration import Registered
from tests import factories

__all__ = ["acme", "approver", "auditor", "clerk", "finance", "operator", "rival"]


@pytest.fixture
def acme(db: None) -> Registered:
    """A merchant with SVC0001 and SVC0004, a wallet on the channel `sandbox` and a gateway key."""
    return factories.make_merchant("Acme")


@pytest.fixture
def rival(db: None) -> Registered:
    """Another merchant on the same channel, who must never see what is Acme's."""
    return factories.make_merchant("Rival")


@pytest.fixture
def clerk(acme: Registered) -> User:
    """Acme's own user of the back office."""
    return factories.make_merchant_user(acme.merchant)


@pytest.fixture
def operator(db: None) -> User:
    """Operations staff: places orders for any merchant, asks for acts."""
    return factories.make_operator()


@pytest.fixture
def approver(db: None) -> User:
    """The second person: decides what another asked for."""
    return factories.make_approver()


@pytest.fixture
def finance(db: None) -> User:
    """Finance staff: balances, reports, reviews."""
    return factories.make_finance()


@pytest.fixture
def auditor(db: None) -> User:
    """Sees everything, may do nothing."""
    return factories.make_auditor()
