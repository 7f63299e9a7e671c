"""Acts that need a proof name a file that is kept with the order, by its SHA-256."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from operations.models import Act
from records.models import Payout
from tests import factories
from tests.admin import signing
from tests.operations import act_forms
from tests.operations.act_scenes import ask, made
from tests.records.test_proofs import keep
from tests.support.desk import Desk, desk, upstream
from tests.support.scripted_upstream import unknown

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


def waiting_payout(desk: Desk) -> Payout:
    """A payout whose upstream has not said what became of it."""
    desk.fund("1000")
    desk.upstream.answers.append(unknown())
    return desk.payout()


def test_the_act_names_the_kept_proof_and_leads_the_second_person_to_it(client: Client, desk: Desk) -> None:
    payout, asker = waiting_payout(desk), factories.make_approver("asker")
    proof = keep(payout, asker)
    client.force_login(asker)
    url = act_forms.url_of("fail_payout", payout.payout_id)
    answer = act_forms.done(client, url, proof="the bank's letter", kept_proof=proof.proof_id)
    assert answer.status_code == 302
    act = Act.objects.get()
    assert act.evidence == {
        "proof": "the bank's letter", "kept_proof": f"{proof.proof_id} sha256:{proof.sha256}",
    }  # fmt: skip
    client.force_login(factories.make_approver("decider"))
    page = client.get(act_forms.url_of("approve", act.pk)).content.decode()
    assert reverse("admin:proof_file", args=[proof.proof_id]) in page


def test_a_proof_of_another_order_is_refused_and_nothing_is_asked_for(client: Client, desk: Desk) -> None:
    payout, asker = waiting_payout(desk), factories.make_approver("asker")
    other = keep(desk.payout(), asker)
    client.force_login(asker)
    url = act_forms.url_of("fail_payout", payout.payout_id)
    answer = act_forms.looked(client, url, proof="the bank's letter", kept_proof=other.proof_id)
    assert list(act_forms.complaints(answer)) == ["kept_proof"]
    assert not Act.objects.exists()


def test_without_a_kept_proof_the_words_stand_alone(client: Client, desk: Desk) -> None:
    payout = waiting_payout(desk)
    client.force_login(factories.make_approver("asker"))
    url = act_forms.url_of("fail_payout", payout.payout_id)
    assert act_forms.done(client, url, proof="the bank's letter").status_code == 302
    assert Act.objects.get().evidence == {"proof": "the bank's letter"}


def test_approving_asks_again_who_it_is_once_the_last_proof_is_old(client: Client, desk: Desk) -> None:
    kind, scene = made("adjust", desk)
    act, before = ask(kind, scene, factories.make_operator()), desk.balances()
    client.force_login(factories.make_approver("decider"))
    signing.age(signing.sign_in_of(client), proved_at=timedelta(minutes=11))
    url = act_forms.url_of("approve", act.pk)
    typed = {**act_forms.opened(client, url), "step": "do", "reason": "seen"}
    asked = client.post(url, typed)
    act.refresh_from_db()
    assert (asked.status_code, act.state, desk.balances()) == (200, "requested", before)
    assert "Please prove that it is you" in asked.content.decode()
    answer = client.post(url, {**typed, "step_up_proof": factories.PASSWORD})
    act.refresh_from_db()
    assert (answer.status_code, act.state) == (302, "executed")
