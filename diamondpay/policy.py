"""The content security policy of every answer: the site's, or one of its own."""

from __future__ import annotations

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class PolicyMiddleware(CSPMiddleware):
    """Writes the site's policy, and leaves an answer that brings a policy as it is.

    What the APIs answer may load nothing at all; working out the site's policy for it would be wasted.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the site's policy where there is none."""
        if HEADER in response:
            return response
        return super().process_response(request, response)
