"""APIs that answer JSON, whatever the caller says it accepts."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request


class AlwaysJson(BaseContentNegotiation):
    """Answer JSON whatever the caller says it accepts."""

    def select_parser(self, request: Request, parsers: object) -> None:
        """Name no parser: bodies are read by `strict_json`."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Name one that is never asked: every API writes its answers itself."""
        return JSONRenderer(), JSONRenderer.media_type
