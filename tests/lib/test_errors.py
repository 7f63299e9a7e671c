"""The family of refusals."""

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy

from diamondpay.lib import errors


def _family(kind: type[errors.DomainError]) -> list[type[errors.DomainError]]:
    return [kind, *(grand for child in kind.__subclasses__() for grand in _family(child))]


def test_every_refusal_has_a_code_of_its_own() -> None:
    # Refusals that rooms derive speak in the code of what they are a case of.
    ours = [kind for kind in _family(errors.DomainError) if kind.__module__ == errors.__name__]
    codes = [kind.code for kind in ours]
    assert len(codes) == len(set(codes))
    assert len(ours) == 23


def test_a_refusal_speaks_its_own_words_unless_the_place_knows_better() -> None:
    plain = errors.InsufficientBalance()
    assert str(plain) == "The available balance is not sufficient."
    assert dict(plain.details) == {}
    better = errors.AmountBelowMinimum("below 10.00 (channel)", details={"lower": "10.00"})
    assert (str(better), better.details["lower"], better.code) == (
        "below 10.00 (channel)",
        "10.00",
        "amount_below_minimum",
    )


def test_invalid_input_names_all_fields_at_once() -> None:
    refusal = errors.InvalidInput({"name": gettext_lazy("missing"), "amount": "odd {braces} 5 %s"})
    assert str(refusal) == "name: missing; amount: odd {braces} 5 %s"
    assert dict(refusal.details) == {"name": "missing", "amount": "odd {braces} 5 %s"}
    with pytest.raises(ValueError, match="at least one"):
        errors.InvalidInput({})


def test_a_message_is_translated_when_it_is_read_and_not_before() -> None:
    refusal = errors.NotAllowed(gettext_lazy("Yes"))
    with translation.override("de"):
        assert str(refusal) == "Ja"
    with translation.override("en"):
        assert str(refusal) == "Yes"


def test_a_status_conflict_tells_order_and_both_states() -> None:
    conflict = errors.StatusConflict(order="PM00000001", current=1, wanted=3)
    assert str(conflict) == "Order PM00000001 has the status “1” and cannot become “3”."
    assert dict(conflict.details) == {"order": "PM00000001", "current": "1", "wanted": "3"}


def test_details_cannot_be_changed_by_who_reads_them() -> None:
    refusal = errors.Busy(details={"tries": "3"})
    with pytest.raises(TypeError):
        refusal.details["tries"] = "4"  # type: ignore[index]
