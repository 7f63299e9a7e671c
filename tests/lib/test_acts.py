"""The registry of acts."""

from dataclasses import dataclass, field

import pytest

from diamondpay.lib.acts import Act, Registry


@dataclass
class Person:
    permissions: set[str] = field(default_factory=set)

    def has_perm(self, perm: str) -> bool:
        return perm in self.permissions


@dataclass
class Order:
    status: int


def _act(name: str, status: int) -> Act:
    return Act(
        name=name,
        label=name.title(),
        permission=f"operations.{name}",
        is_offered=lambda _user, obj: isinstance(obj, Order) and obj.status == status,
        url_name=f"operations:{name}",
    )


def test_an_act_is_allowed_when_the_user_may_and_the_state_offers_it() -> None:
    registry = Registry()
    close, requery, supplement = _act("close", 0), _act("requery", 0), _act("supplement", 3)
    for act in (close, requery, supplement):
        registry.register(act)
    operator = Person({"operations.close", "operations.requery", "operations.supplement"})
    assert registry.allowed(operator, Order(0)) == [close, requery]
    assert registry.allowed(operator, Order(3)) == [supplement]
    assert registry.allowed(operator, "something else") == []
    assert registry.allowed(Person({"operations.requery"}), Order(0)) == [requery]
    assert registry.allowed(Person(), Order(0)) == []


def test_two_acts_cannot_share_a_name() -> None:
    registry = Registry()
    close = _act("close", 0)
    registry.register(close)
    registry.register(close)
    with pytest.raises(ValueError, match="already called 'close'"):
        registry.register(_act("close", 1))
    assert registry.allowed(Person({"operations.close"}), Order(0)) == [close]


def test_acts_stand_in_their_order_and_then_as_they_were_registered() -> None:
    registry = Registry()
    for name, order in (("again", 90), ("close", 0), ("ask", 0)):
        registry.register(
            Act(name=name, label=name, permission="p", url_name="u", order=order, is_offered=lambda *_: True)
        )
    assert [act.name for act in registry.allowed(Person({"p"}), None)] == ["close", "ask", "again"]
