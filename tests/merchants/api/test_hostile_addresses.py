"""Every hostile notify address is refused when it is given, through each API that takes one."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.test import Client
from pytest_django import Settings

from diamondpay.lib import clock
from merchants.registration import Registered
from records.models import Notification, Payment
from tests import factories
from tests.merchants.api.test_tampering import Call, creation_call, gateway_call, is_accepted, request_call

pytestmark = pytest.mark.django_db
# {port} is where the trap listens.
HOSTILE = [
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "javascript:alert(1)",
    "//127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://localhost:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://192.88.99.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://user:word@127.0.0.1:{port}/",
    "http://acme.example@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@acme.example/",
]


# API → its name for the address, and where it says what is wrong.
NAMED = {
    "gateway": ("notify_url", "error_msg"),
    "transaction_request": ("webhookUrl", "message"),
    "payment_detail": ("notifyUrl", "description"),
}


@dataclass
class Trap:
    """A listener on loopback that counts who comes."""

    port: int
    visits: list[object] = field(default_factory=list)


@pytest.fixture
def trap() -> Iterator[Trap]:
    """Listen where the hostile addresses lead."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Trap(listener.getsockname()[1])

        def listen() -> None:
            while True:
                try:
                    visitor, address = listener.accept()
                except OSError:
                    return
                found.visits.append(address)
                visitor.close()

        threading.Thread(target=listen, daemon=True).start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def merchant(db: None, settings: Settings) -> Registered:
    """A merchant with a key of every API, where no private network is open."""
    settings.NOTIFICATION_PRIVATE_NETWORKS = []
    return factories.make_merchant("Acme", apis=["transaction_request", "payment_detail"])


def calls(merchant: Registered, url: str) -> list[Call]:
    """Return a signed creation through each API that takes an address."""
    moment = int(clock.now().timestamp() * 1000)
    gateway = gateway_call(merchant, "order-1", url=url)
    request = request_call(merchant, "order-2", moment, url=url)
    return [gateway, request, creation_call(merchant, "order-3", url=url)]


@pytest.mark.parametrize("address", HOSTILE)
def test_a_hostile_address_is_refused_by_name_and_nothing_is_called(
    address: str, merchant: Registered, trap: Trap
) -> None:
    url = address.format(port=trap.port)
    for call in calls(merchant, url):
        response = call.sent(Client())
        assert not is_accepted(call.api, response)
        content = json.loads(response.content)
        name, words = NAMED[call.api]
        assert name in content[words]
    assert trap.visits == []
    assert (Payment.objects.count(), Notification.objects.count()) == (0, 0)
