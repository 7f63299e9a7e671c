"""The pages that are measured: their addresses, and those of the same question in a stock ModelAdmin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max, Min
from django.urls import reverse

from merchants.models import Merchant
from records.models import Payment, Payout

LIST_AIM, SEARCH_AIM = 20.0, 100.0
PAGE_NUMBER_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Page:
    """One question to the back office: our address, the stock one, and how much faster ours should be.

    `holds` must stand in the answer, so that an empty page is never taken for a fast one.
    """

    name: str
    ours: str
    untuned: str = ""
    speed_aim: float = 0
    holds: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the pages are asked about: days of the viewer's zone, merchants and orders that are there."""

    zone: ZoneInfo
    today: date
    merchant: Merchant
    small: Merchant
    payment: Payment
    payout: Payout
    page_number: int

    def days(self, first: int, last: int) -> dict[str, str]:
        """Return our filter of a range of days, counted back from today, both included."""
        return {
            "created_from": str(self.today - timedelta(days=first)),
            "created_to": str(self.today - timedelta(days=last)),
        }

    def moments(self, first: int, last: int) -> tuple[datetime, datetime]:
        """Return the same range, half open."""
        midnight = datetime(self.today.year, self.today.month, self.today.day, tzinfo=self.zone)
        return midnight - timedelta(days=first), midnight - timedelta(days=last - 1)

    def lookups(self, first: int, last: int) -> dict[str, str]:
        """Return Django's filter of the same range."""
        start, end = self.moments(first, last)
        return {"created_at__gte": start.isoformat(), "created_at__lt": end.isoformat()}


def pages(*, merchants: Sequence[Merchant], end: datetime) -> list[Page]:
    """Return every page, asked about orders that are there. `end` is the moment of the newest."""
    zone = ZoneInfo(str(settings.DEFAULT_TIME_ZONE))
    asked = Asked(
        zone=zone,
        today=end.astimezone(zone).date(),
        merchant=merchants[0],
        small=merchants[len(merchants) // 2],
        payment=_sample(merchants[0]),
        payout=Payout.objects.filter(status=1).latest("id"),
        # A small book has fewer pages.
        page_number=min(PAGE_NUMBER_MAX, Payment.objects.count() // 100),
    )
    return [*_lists(asked), *_rare_lists(asked), *_searches(asked), *_others(asked)]


def _sample(merchant: Merchant) -> Payment:
    """Return a paid order of the merchant from the middle of the book, with an account."""
    ends = Payment.objects.aggregate(first=Min("id"), last=Max("id"))
    mine = Payment.objects.filter(
        merchant=merchant, status=1, service_id="SVC0001", is_test=False, account_tail__gt=""
    )
    return mine.filter(id__gte=(ends["first"] + ends["last"]) // 2).order_by("id")[0]


def _list(model: str, filters: Mapping[str, object]) -> str:
    return f"{reverse(f'admin:records_{model}_changelist')}?{urlencode(filters)}"


def _stock(model: str, filters: Mapping[str, object]) -> str:
    return f"/untuned/records/{model}/?{urlencode(filters)}"


def _page(
    name: str,
    ours: Mapping[str, object],
    stock: Mapping[str, object],
    *,
    model: str = "payment",
    holds: str = "",
) -> Page:
    return Page(
        name=name, ours=_list(model, ours), untuned=_stock(model, stock), speed_aim=LIST_AIM, holds=holds
    )


def _lists(asked: Asked) -> list[Page]:
    """The lists that the issue names."""
    merchant, quarter = asked.merchant.pk, asked.days(89, 0)
    paid = {"merchant": merchant, "status": 1, "service": "SVC0001"}
    stock_paid = {"merchant__id__exact": merchant, "status__exact": 1, "service__id__exact": "SVC0001"}
    failed = {"merchant__id__exact": merchant, "status__exact": 2}
    return [
        _page("deposit list, first page", {}, {}, holds="PM"),
        _page(
            "deposit list, a month, merchant, status and service",
            {**asked.days(59, 30), **paid}, {**asked.lookups(59, 30), **stock_paid}, holds="PM",
        ),
        _page(
            "deposit list, 90 days, merchant and status",
            {**quarter, "merchant": merchant, "status": 2}, {**asked.lookups(89, 0), **failed}, holds="PM",
        ),
        _page("deposit list, page 200", {**quarter, "p": asked.page_number}, {"p": asked.page_number}),
        _page("payout list, first page", {}, {}, model="payout", holds="POT"),
        _page("notification list, first page", {}, {}, model="notification"),
        _page(
            "balance records of a merchant",
            {"merchant": merchant}, {"merchant__id__exact": merchant}, model="balancerecord",
        ),
    ]  # fmt: skip


def _rare_lists(asked: Asked) -> list[Page]:
    """Lists whose rows lie far apart: where an index in order of time has to pass most of the book."""
    quarter, stock = asked.days(89, 0), asked.lookups(89, 0)
    few = {"merchant__id__exact": asked.small.pk, "status__exact": 2, "is_test__exact": 1}
    return [
        _page(
            "deposit list, 90 days, in progress", {**quarter, "status": 0}, {**stock, "status__exact": 0}
        ),
        _page(
            "deposit list, 90 days, small merchant, failed tests",
            {**quarter, "merchant": asked.small.pk, "status": 2, "is_test": 1}, {**stock, **few},
        ),
        _page(
            "deposit list, 90 days, one channel and amounts of 1 to 2",
            {**quarter, "channel": "usdt-1", "amount_min": 1, "amount_max": 2},
            {**stock, "channel__code__exact": "usdt-1"},
        ),
    ]  # fmt: skip


def _searches(asked: Asked) -> list[Page]:
    payment = asked.payment
    wanted = {
        "platform order no.": payment.payment_id,
        "merchant order no.": payment.merchant_order_no,
        "channel order no.": payment.channel_order_no,
        "account tail": payment.account_tail,
        "amount": f"{payment.requested_amount:.2f}",
    }
    return [
        Page(
            name=f"search by {kind}",
            ours=f"{reverse('admin:search')}?{urlencode({'q': text})}",
            untuned=_stock("payment", {"q": text}),
            speed_aim=SEARCH_AIM,
        )
        for kind, text in wanted.items()
    ]


def _others(asked: Asked) -> list[Page]:
    payment, payout = asked.payment, asked.payout
    month, day = asked.moments(29, 0), asked.moments(1, 0)
    return [
        Page(
            name="deposit order page",
            ours=reverse("admin:records_payment_change", args=[payment.pk]),
            untuned=f"/untuned/records/payment/{payment.pk}/change/",
            holds=payment.payment_id,
        ),
        Page(
            name="payout order page",
            ours=reverse("admin:records_payout_change", args=[payout.pk]),
            untuned=f"/untuned/records/payout/{payout.pk}/change/",
            holds=payout.payout_id,
        ),
        Page(
            name="service statistics, a month",
            ours=f"{reverse('admin:service_statistics')}?{urlencode(asked.days(29, 0))}",
            untuned=_aggregates(*month),
            holds="SVC0001",
        ),
        Page(
            name="success rates, a month, one merchant",
            ours=f"{reverse('admin:success_rate_statistics')}?"
            f"{urlencode({**asked.days(29, 0), 'merchant': asked.merchant.pk})}",
            untuned=_aggregates(*month),
        ),
        Page(name="home page", ours=reverse("admin:index"), untuned=_aggregates(*day)),
    ]


def _aggregates(start: datetime, end: datetime) -> str:
    return f"/untuned/statistics/?{urlencode({'start': start.isoformat(), 'end': end.isoformat()})}"
