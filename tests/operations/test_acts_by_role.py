"""Each act × each role × each state of its object, by hand-made requests against `acts.csv` (A1, P3, P5, P6).

What stands in the table:

- `allowed`: the page of the object offers the act, and it is done; `changes` says what is other than before.
- `not-shown`: it can be done by its address, but is not offered, for a shorter way is.
- `refused-permission`: 403, whatever the state. `refused-state`: the page says in words why not now, or, of
  an act that waits, which role decides it.
- `unknown`: 404, as for an object that is none.

`.venv/bin/python -m pytest tests/operations/test_acts_by_role.py` with ACTS_FOUND=FILE writes what it finds.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from diamondpay.lib import acts as offers
from diamondpay.models import AuditRow, User
from operations.models import Act
from records.models import Payment, Payout
from tests.admin import access
from tests.operations import act_forms, act_states
from tests.operations.act_states import ROLES, TARGETS, Target
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
TABLE = Path(__file__).with_name("acts.csv")
PAGES = ("open_payment_page", "show_payment_qr")
PROOFS = ("upload_proof", "upload_payment_proof")
REFUSALS = {403: "refused-permission", 404: "unknown"}


def expected() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the table: by act and state what is changed, then a cell for each role."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    with TABLE.open(newline="") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        assert next(rows) == ["act", "state", "changes", *ROLES]
        for act, state, *cells in rows:
            assert state not in found.setdefault(act, {}), f"{act}, {state} stands there twice"
            found[act][state] = tuple(cells)
    return found


@contextmanager
def undone() -> Iterator[None]:
    """Take back whatever is done inside."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def walked(client: Client, act: str, target: Target) -> Any:
    """Walk the whole way as a browser does, or as somebody who forges the last step; return the answer."""
    url = act_forms.url_of(act, target.key)
    shown = client.get(url)
    if act in PAGES:
        return shown
    sent = {"reason": "because", **target.typed}
    context: Any = shown.context if shown.status_code == 200 else {}
    tokens = {"form_token": context.get("form_token", "a" * 32), "seen": context.get("seen", "")}
    if shown.status_code == 200 and not context["is_single_step"]:
        looked = client.post(url, {**tokens, **sent, "step": "look"})
        tokens["seen"] = looked.context.get("seen", "")
    files = act_states.proof() if act in PROOFS else {}
    return client.post(url, {**tokens, **sent, **files, "step": "do"})


def outcome(answer: Any, act: str) -> str:
    """Return what an answer says: done, or how it was refused."""
    if answer.status_code in REFUSALS:
        return REFUSALS[answer.status_code]
    if act in PAGES:
        is_done = answer.status_code == 200 or "/gateway/portal/v1/payments/" in answer["Location"]
        return "allowed" if is_done else "refused-state"
    if answer.status_code == 302:
        return "allowed"
    assert answer.context["obstacle"] or answer.context["form"].non_field_errors(), (
        f"{act}: {act_forms.complaints(answer)}"
    )
    return "refused-state"


def changed(before: Mapping[str, Any], after: Mapping[str, Any], target: Target) -> str:
    """Return what is other than before, and the state that an order has now."""
    names = [name for name in before if before[name] != after[name] and name != "trail"]
    if isinstance(target.row, Payment | Payout):
        was = target.row.get_status_display()
        target.row.refresh_from_db()
        if target.row.get_status_display() != was:
            names.append(f"now {target.row.get_status_display()}")
    return "; ".join(names)


def is_refusal_noted(act: str, user: User, answer: Any) -> bool:
    """Say whether the trail has who was refused which act."""
    rows = AuditRow.objects.filter(user=user, is_refused=True, address="127.0.0.1")
    if act in PAGES:
        return rows.exists() or answer.status_code != 403
    row = rows.get(action=f"{act}.refused")
    code = {403: "not_allowed", 404: "order_unknown"}.get(answer.status_code)
    return code is None or bool(row.after["refusal"] == code)


def tried(client: Client, user: User, act: str, target: Target) -> tuple[str, str]:
    """Try an act; return its cell and what it changed, and prove that a refusal changed nothing."""
    before = act_states.snapshot()
    is_offered = act in {each.name for each in offers.allowed(user, target.row)}
    answer = walked(client, act, target)
    cell, after = outcome(answer, act), act_states.snapshot()
    if cell == "allowed":
        assert act in PAGES or after["trail"] > before["trail"], f"{act} left no row in the trail"
        asked = Act.objects.exclude(pk__in=[row["id"] for row in before["acts"]])
        assert [(each.state, each.requested_by) for each in asked] in ([], [("requested", user)])
        return ("allowed" if is_offered else "not-shown"), changed(before, after, target)
    assert after == before, f"{act} was refused and changed something"
    assert not is_offered or cell == "unknown", f"{act} is offered and refused"
    assert is_refusal_noted(act, user, answer), f"the refusal of {act} is not in the trail"
    return cell, ""


@pytest.mark.parametrize("act", TARGETS)
def test_each_act_is_done_by_whom_and_in_which_state_the_table_says(desk: Desk, act: str) -> None:
    targets, people = TARGETS[act](desk), act_states.people(desk)
    clients = {role: Client() for role in ROLES}
    for role, client in clients.items():
        client.force_login(people[role])
    found = {}
    for state, target in targets.items():
        cells, changes = [], set()
        for role in ROLES:
            with undone():
                cell, what = tried(clients[role], people[role], act, target)
            target.row.refresh_from_db()
            cells.append(cell)
            changes |= {what} if cell in ("allowed", "not-shown") else set()
        assert len(changes) <= 1, f"{act}, {state}: it changes other things for one than for another"
        found[state] = (changes.pop() if changes else "", *cells)
    write_down(act, found)
    assert found == expected().get(act, {})


def write_down(act: str, found: Mapping[str, tuple[str, ...]]) -> None:
    """Add what was found to the file that ACTS_FOUND names, for a person to judge."""
    if os.environ.get("ACTS_FOUND"):
        with Path(os.environ["ACTS_FOUND"]).open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                [act, state, *row] for state, row in found.items()
            )


def test_the_table_has_every_act_that_has_a_page_or_is_asked_for() -> None:
    table = expected()
    names = {address.name.removeprefix("admin:act_") for address in access.addresses()
             if address.name.startswith("admin:act_")}  # fmt: skip
    # One leads on to the latest notification of an order, the other hands a key over to who asked for it.
    assert set(table) == set(TARGETS) == names - {"resend_latest", "key"}
    of_rows = ("change_terms", "activate_terms")
    asked = {name for name in table if not name.startswith(of_rows)} | set(of_rows)
    assert set(Act.Kind.values) <= asked
