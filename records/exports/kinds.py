"""Every kind of file by its key."""

from __future__ import annotations

from records.exports import figures, reconciliation, recordlists
from records.exports.sources import Kind

KINDS: dict[str, Kind] = {
    **{each.kind: each for each in recordlists.LISTS},
    "statistics": figures.Statistics(),
    "merchantday": reconciliation.MerchantDay(),
    "channelday": reconciliation.ChannelDay(),
}
