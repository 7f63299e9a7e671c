"""What only a person's pages need: sessions, sign-ins, messages. A merchant's calls pass by all of it.

A call proves by itself whose it is, so no cookie means anything to it.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_htmx import middleware as htmx

from diamondpay.people import middleware as people

# Where the merchants' APIs begin; everything below answers calls and nothing else.
API_PATHS = ("/gateway/api/", "/api/v2/merchant/", "/payment/", "/conf/")


class PagesOnly:
    """Stands before a middleware and lets the merchants' calls pass by it."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass a call on; do for a page what the middleware does."""
        is_call = request.path_info.startswith(API_PATHS)
        go_on = self.get_response if is_call else super().__call__  # type: ignore[misc]
        answer: HttpResponseBase = go_on(request)
        return answer


class SessionMiddleware(PagesOnly, sessions.SessionMiddleware):
    """Django's sessions."""


class AuthenticationMiddleware(PagesOnly, auth.AuthenticationMiddleware):
    """Who is signed in."""


class MessageMiddleware(PagesOnly, messages.MessageMiddleware):
    """What the next page tells."""


class SignInMiddleware(PagesOnly, people.SignInMiddleware):
    """Whether the sign-in still holds."""


class RefusalMiddleware(PagesOnly, people.RefusalMiddleware):
    """What the back office refused."""


class HtmxMiddleware(PagesOnly, htmx.HtmxMiddleware):
    """Which part of a page is asked for."""
