"""Nothing of the APIs is outside the guard: every address is counted, every operation asks for a scope."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.views import SpectacularAPIView
from pytest_django import Settings
from rest_framework.views import APIView

from diamondpay import pages_only
from merchants import credentials
from merchants.api import guard
from merchants.api.gateway.errors import translate
from merchants.api.gateway.views import GatewayView
from merchants.calls import journal
from merchants.registration import Registered
from tests import factories
from tests.merchants.api.gateway.test_guard import GETS

# Of the gateway API by its addresses; GETs ask for `read`, and these create.
CREATIONS = ("/v1/payments", "/v2/payments", "/v1/payouts", "/v2/payouts")


def patterns(found: Sequence[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every route of the product with what answers it."""
    for each in get_resolver().url_patterns if found is None else found:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from patterns(each.url_patterns, route)
        elif isinstance(each, URLPattern):
            yield route, each.callback


def views() -> dict[str, Any]:
    """Return the operations of every API by their routes."""
    found = {route: getattr(callback, "cls", None) for route, callback in patterns()}
    return {
        route: view
        for route, view in found.items()
        if isinstance(view, type) and issubclass(view, APIView) and not issubclass(view, SpectacularAPIView)
    }


def test_every_operation_of_every_api_is_guarded() -> None:
    found = views()
    assert len(found) >= 11
    assert [route for route, view in found.items() if not issubclass(view, guard.Guarded)] == []


def test_every_unknown_address_of_an_api_is_guarded() -> None:
    plain = {
        route: callback
        for route, callback in patterns()
        if route.startswith(("gateway/api/", "api/", "payment/", "conf/")) and not hasattr(callback, "cls")
    }
    assert {
        "gateway/api/",
        "gateway/api/<anything:rest>",
        "api/v2/merchant/",
        "payment/",
        "payment/<anything:rest>",
        "conf/",
        "conf/<anything:rest>",
    } <= set(plain)
    assert [route for route, callback in plain.items() if not getattr(callback, "is_guarded", False)] == []


def test_the_tables_of_scopes_know_every_operation() -> None:
    """Of the gateway API the table lists addresses; of the others each view names its scope."""
    routed = set()
    for route, view in views().items():
        if issubclass(view, GatewayView):
            routed.add(re.sub("<.*>", "x", route.removeprefix("gateway/api")))
        else:
            assert isinstance(view.scope, guard.Scope), route
    assert routed == {*GETS, *CREATIONS}


def test_a_call_passes_the_guard_without_a_statement(acme: Registered, settings: Settings) -> None:
    settings.REQUEST_LOG = True
    caller = credentials.caller_by_token(acme.authorization)
    [credential] = caller.credentials
    credentials.note_use(credential, caller.now)
    guarded = guard.guarded(api="gateway", refuse=translate)(_nothing)
    with CaptureQueriesContext(connection) as asked:
        request = RequestFactory().get("/")
        assert guarded(request).status_code == 200
        guard.admitted(request, caller=caller, credential=credential, scope=guard.Scope.READ)
        guard.failed(request, named="x", merchant_id=acme.merchant.pk)
    assert len(asked) == 0
    assert journal.write_waiting(connection) == 1
    assert guard.of(request).credential == credential


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}")


def test_what_only_pages_need_is_passed_by_for_the_apis_and_for_nothing_else() -> None:
    shown = [re.sub("<[^>]*>", "x", route) for route, _callback in patterns()]
    guarded = {
        re.sub("<[^>]*>", "x", route)
        for route, callback in patterns()
        if getattr(callback, "is_guarded", False) or issubclass(getattr(callback, "cls", str), guard.Guarded)
    }
    assert guarded
    assert {route for route in shown if f"/{route}".startswith(pages_only.API_PATHS)} == guarded


@pytest.mark.parametrize("path", ["/gateway/api/v2/payments/x", "/payment/detail", "/conf/list/chain"])
def test_a_browsers_cookies_mean_nothing_to_a_call(path: str, client: Client, acme: Registered) -> None:
    plain = Client().get(path)
    client.force_login(factories.make_user("curious"))
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path)
    assert (answer.status_code, answer.content) == (plain.status_code, plain.content)
    assert not answer.has_header("Vary")
    assert not answer.cookies
    assert len(asked) == 0
