"""Every kind of file by its key. `adminlists` says how another list becomes one."""

from __future__ import annotations

from records.exports import channel_day, figures, reconciliation, recordlists
from records.exports.sources import Kind

KINDS: dict[str, Kind] = {
    **{each.kind: each for each in recordlists.LISTS},
    "statistics": figures.Statistics(),
    "merchantday": reconciliation.MerchantDay(),
    "channelday": channel_day.ChannelDay(),
}


def add(kind: Kind, *, key: str) -> None:
    """Make a list of a higher room exportable.

    Raises: ValueError when another kind has its key.
    """
    if KINDS.get(key, kind) != kind:
        raise ValueError(f"another kind of file is already called {key!r}")
    KINDS[key] = kind
