"""Calls of the client package, carried to the real APIs without a socket between."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from django.test import Client

Answer = Callable[[httpx.Request], httpx.Response]


def carried(client: Client) -> Answer:
    """Carry each call to the API through Django's test client, and its answer back, byte for byte."""

    def carry(request: httpx.Request) -> httpx.Response:
        answer = client.generic(
            request.method, request.url.raw_path.decode(), request.content,
            content_type=request.headers.get("content-type", ""), headers=dict(request.headers),
        )  # fmt: skip
        return httpx.Response(answer.status_code, headers=dict(answer.items()), content=answer.content)

    return carry


def over(answer: Answer) -> httpx.Client:
    """Return a connection on which every call is answered so."""
    return httpx.Client(transport=httpx.MockTransport(answer))
