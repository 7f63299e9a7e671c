"""The rest of an address, whatever it holds: none below an API's may fall out of it and become HTML."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import PathConverter


class Anything(PathConverter):
    """As Django's `path`, which ends at a line break."""

    regex = r"[\s\S]+"


register_converter(Anything, "anything")
