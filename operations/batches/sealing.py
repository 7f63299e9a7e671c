"""Recipients on a batch's rows: sealed as on orders, under a context of their own, and shown masked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from channels.upstreams import base
from diamondpay.lib import crypto, money
from operations.batches.columns import ORDER_NO, Field
from operations.batches.models import BatchPayoutRow
from operations.batches.reading import Line

PARTY_CONTEXT = "batch.party"
CONTENT_CONTEXT = "batch.content"


def sealed(line: Line) -> dict[str, object]:
    """Return the columns of a row that hold its recipient."""
    party = base.Party(
        name=line.field(Field.NAME),
        account=line.field(Field.NUMBER),
        phone=line.field(Field.PHONE),
        id_number=line.field(Field.ID_NUMBER),
        ifsc_code=line.field(Field.IFSC_CODE),
    )
    return {
        "party_name": party.name,
        "party_encrypted": crypto.encrypt(json.dumps(asdict(party), ensure_ascii=False), PARTY_CONTEXT),
        "account_masked": crypto.mask(party.account),
    }


def party_of(row: BatchPayoutRow) -> base.Party:
    """Return a row's recipient in clear, for the order alone. Raises: crypto.CannotDecrypt."""
    fields: Mapping[str, str] = json.loads(crypto.decrypt(row.party_encrypted, PARTY_CONTEXT))
    return base.Party(**fields)


def content_hash(lines: Sequence[Line]) -> bytes:
    """Return what tells the same payouts from others, whatever their order, file format or title row.

    Keyed, for it covers card numbers.
    """
    rows = sorted(
        json.dumps([line.field(ORDER_NO), money.plain(line.amount), *_told(line)], ensure_ascii=False)
        for line in lines
    )
    digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return crypto.keyed_hash(digest, CONTENT_CONTEXT)


def _told(line: Line) -> list[str]:
    """Return what says whom a line pays; the currency may be given or not and is the same."""
    keys = (Field.NAME, Field.NUMBER, Field.BANK, Field.PHONE, Field.ID_NUMBER, Field.IFSC_CODE)
    return [line.field(key).upper() if key == Field.BANK else line.field(key) for key in keys]
