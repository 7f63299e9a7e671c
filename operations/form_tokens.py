"""Forms that do their deed once, however often they are sent (P8)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import crypto, errors, sql
from diamondpay.models import User
from operations.models import FormToken

TOKEN_LENGTH = 32
_SALT = "operations.form_tokens"
_SHAPE = re.compile(rf"[A-Za-z0-9]{{{TOKEN_LENGTH}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a form wants to do: by whom, which act on which object, with which content."""

    token: str
    user: User
    act: str
    object_id: str
    content: bytes

    @property
    def digest(self) -> str:
        """The content in short, by a key of ours: a form may hold a secret, which this does not tell."""
        return salted_hmac(_SALT, self.content, algorithm="sha256").hexdigest()


def fresh() -> str:
    """Return a token for a form that is about to be shown."""
    return crypto.random_key(TOKEN_LENGTH)


def of_many(token: str, object_id: str) -> str:
    """Return the token of one of many deeds that a single form does, each of them once.

    Raises: InvalidInput for what is no token.
    """
    _refuse_shapeless(token)
    return hashlib.sha256(f"{token}:{object_id}".encode()).hexdigest()[:TOKEN_LENGTH]


def _refuse_shapeless(token: str) -> None:
    if _SHAPE.fullmatch(token) is None:
        raise errors.InvalidInput({"form": _("This form has no token. Open the page again.")})


def claim(*, use: Use, now: datetime) -> FormToken | None:
    """Use a token up, inside the deed's transaction; return its first use where there was one.

    The same form that is being sent by another request is waited for: where that one commits, this one
    finds its outcome; where it is refused, this one tries the deed itself.
    Raises: InvalidInput for what is no token, and for a token that was used for something else.
    Locks: the token's key, before anything else of the deed.
    """
    _refuse_shapeless(use.token)
    row = FormToken(
        token=use.token, user=use.user, act=use.act, object_id=use.object_id, content=use.digest, used_at=now
    )
    if sql.insert_once(row, key=("token",)):
        return None
    first = FormToken.objects.get(token=use.token)
    same = (use.user.pk, use.act, use.object_id, use.digest)
    if (first.user_id, first.act, first.object_id, first.content) != same:
        raise errors.InvalidInput(
            {"form": _("This form was already sent with other content. Open the page again to do more.")}
        )
    return first


def note(*, token: str, outcome: Mapping[str, str]) -> None:
    """Keep what the deed answered, for those who send the same form again."""
    FormToken.objects.filter(token=token).update(outcome=dict(outcome))
