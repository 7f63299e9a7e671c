"""An API's page for trying it out and its OpenAPI document, the same for every API."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import normalize_result_object
from drf_spectacular.settings import patched_settings

from diamondpay.lib import errors
from merchants.api import surroundings, wording


@dataclass(frozen=True, eq=False, kw_only=True)
class Document:
    """One API as its pages tell it: what it says of itself, its addresses, and what its fields mean.

    `page_name` and `schema_name` are the URL names of the two pages.
    """

    title: str
    description: str
    version: str = ""
    path_prefix: str
    patterns: Sequence[URLPattern | URLResolver]
    meanings: Mapping[str, errors.Words]
    page_name: str
    schema_name: str
    further: Mapping[str, object] = field(default_factory=dict)

    @functools.cached_property
    def _made(self) -> bytes:
        """The document. Made once per process: nothing in it changes while the process lives."""
        settings = {
            "TITLE": self.title,
            "DESCRIPTION": self.description,
            **({"VERSION": self.version} if self.version else {}),
            "SCHEMA_PATH_PREFIX": self.path_prefix,
            **self.further,
        }
        with patched_settings(settings):
            generator = SchemaGenerator(patterns=list(self.patterns))  # type: ignore[no-untyped-call]
            found = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        plain = normalize_result_object(found)  # type: ignore[no-untyped-call]
        wording.describe(plain, self.meanings)
        surroundings.describe(plain)
        return json.dumps(plain, ensure_ascii=False, default=str).encode()

    def content(self) -> dict[str, Any]:
        """Return the OpenAPI document as the caller's own."""
        found: dict[str, Any] = json.loads(self._made)
        return found

    @method_decorator(require_safe)
    def schema(self, request: HttpRequest) -> HttpResponse:
        """Return the OpenAPI document."""
        return HttpResponse(self._made, content_type="application/vnd.oai.openapi+json; charset=utf-8")

    # Swagger UI's style sheet draws its arrows with data: images.
    @method_decorator(csp_update({"img-src": [SELF, "data:"]}))
    @method_decorator(require_safe)
    def page(self, request: HttpRequest) -> HttpResponse:
        """Show the document with Swagger UI."""
        context = {"title": self.title, "schema_url": reverse(self.schema_name)}
        return render(request, "docs/swagger.html", context)

    def urlpatterns(self) -> list[URLPattern]:
        """Return the addresses of both pages."""
        return [
            path("", self.page, name=self.page_name),
            path("schema/", self.schema, name=self.schema_name),
        ]
