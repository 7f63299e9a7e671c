"""HTML made in Python: what comes from people is escaped, exactly as Django's own function does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db.models import TextChoices
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from diamondpay.lib import markup

HOSTILE = "\"><script>alert('&amp;')</script>{0}%s"


class Word(TextChoices):
    """A choice whose word is hostile."""

    BAD = "<b>", "<i>"


@pytest.mark.parametrize(
    "value",
    [HOSTILE, SafeString("<b>ours</b>"), gettext_lazy("<yes>"), Word.BAD, Word.BAD.label, 7, None, True,
     Decimal("1.50"), "", "plain"],
)  # fmt: skip
def test_a_value_is_written_as_djangos_format_html_writes_it(value: Any) -> None:
    shape = '<a title="{}">{named}</a>'
    found = markup.filled(shape, value, named=value)
    assert type(found) is SafeString
    assert found == format_html(shape, value, named=value)


def test_hostile_text_is_escaped_and_braces_in_it_are_text() -> None:
    assert markup.filled("<p>{}</p>", HOSTILE) == (
        "<p>&quot;&gt;&lt;script&gt;alert(&#x27;&amp;amp;&#x27;)&lt;/script&gt;{0}%s</p>"
    )
