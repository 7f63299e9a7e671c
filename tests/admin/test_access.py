"""Every address of the product, asked by everybody, answers as the table `access.csv` says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.admin import access


@pytest.mark.django_db
def test_every_address_answers_every_role_as_the_table_says() -> None:
    """A new page fails here until somebody has decided who may open it and written that into the table."""
    found = access.found(access.make_world())
    if access.FOUND in os.environ:
        Path(os.environ[access.FOUND]).write_text(access.written(found))
    expected = access.expected()
    assert sorted(found.keys() - expected.keys()) == [], "addresses that the table does not know"
    assert sorted(expected.keys() - found.keys()) == [], "rows of the table without an address"
    differing = {key: (found[key], expected[key]) for key in found if found[key] != expected[key]}
    assert differing == {}, "found, expected"


def _cells() -> list[tuple[str, str, str, str]]:
    """Return name, method, role and answer of every cell."""
    return [
        (name, method, role, cell)
        for (name, method), cells in access.expected().items()
        for role, cell in zip(access.ROLES, cells, strict=True)
    ]


def test_the_table_names_every_address_once_and_nothing_else() -> None:
    addresses = [address.name for address in access.addresses()]
    assert len(set(addresses)) == len(addresses)
    assert {name for name, _method in access.expected()} == set(addresses)


def test_nobody_gets_an_error_of_ours() -> None:
    # A test has no worker to be ready, and an upstream whose callback is refused may try again.
    answered = {name for name, _method, _role, cell in _cells() if cell.startswith("5")}
    assert answered == {"readyz", "upstream-callback"}


def test_nobody_who_is_not_signed_in_sees_a_page_of_the_back_office() -> None:
    open_to_all = {"admin:login", "admin:logout"}
    shown = [
        (name, method)
        for name, method, role, cell in _cells()
        if role == "anonymous" and name.startswith("admin:") and cell != "login"
    ]
    assert {name for name, _method in shown} <= open_to_all


def test_a_rivals_user_opens_no_row_that_its_owner_hides_from_them() -> None:
    """Where the row's own merchant sees it and answers differ, the rival is told that there is nothing."""
    differing = {
        (name, cells[list(access.ROLES).index("rival")])
        for (name, _method), cells in access.expected().items()
        if cells[list(access.ROLES).index("merchant")] != cells[list(access.ROLES).index("rival")]
    }
    assert len(differing) > 10
    assert {cell for _name, cell in differing} <= {"302", "404"}


def test_staff_without_a_role_opens_nothing_but_what_is_everybodys() -> None:
    opened = {
        name for name, _method, role, cell in _cells()
        if role == "no_role" and name.startswith("admin:") and cell == "200"
    }  # fmt: skip
    assert opened <= {
        "admin:index", "admin:login", "admin:logout", "admin:jsi18n", "admin:password_change",
        "admin:password_change_done", "admin:preferences", "admin:security", "admin:second_factor_set_up",
        "admin:session",
    }  # fmt: skip
