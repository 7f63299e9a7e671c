"""The request log is kept for 30 days; older calls go in bounded batches, lost ones are counted."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Sum

from diamondpay.lib import sql
from merchants.models import ApiCall

KEPT = timedelta(days=30)
BATCH_COUNT_MAX = 5_000
# In one call: what comes in between two calls is far less, and one after a long pause stays short.
BATCHES_MAX = 20
# No row is locked first: the application may not change what is logged, and locking asks for that right.
_FORGET = """
    WITH old AS (
        SELECT id FROM merchants_apicall WHERE created_at < %(before)s ORDER BY created_at LIMIT %(count)s
    ), gone AS (
        DELETE FROM merchants_apicall USING old WHERE merchants_apicall.id = old.id RETURNING 1
    )
    SELECT count(*) FROM gone
"""


def forget(*, now: datetime) -> int:
    """Remove calls that are older than 30 days, each batch in a transaction of its own; say how many."""
    removed = 0
    for _batch in range(BATCHES_MAX):
        count = int(sql.rows(_FORGET, {"before": now - KEPT, "count": BATCH_COUNT_MAX})[0][0])
        removed += count
        if count < BATCH_COUNT_MAX:
            break
    return removed


def lost_count(*, now: datetime) -> int:
    """Return how many calls of the last day are not in the log."""
    since = now - timedelta(days=1)
    found = ApiCall.objects.filter(lost_before__gt=0, created_at__gte=since).aggregate(Sum("lost_before"))
    return int(found["lost_before__sum"] or 0)
