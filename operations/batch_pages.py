"""Batch payout: choose merchant and service, take the template, upload; look, confirm, watch the rest."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t

from channels.models import Direction, Service
from diamondpay import audit, step_up
from diamondpay.lib import clock, errors, pages
from diamondpay.lib.admin import address_of
from diamondpay.lib.spreadsheet import upload_kinds
from diamondpay.lib.spreadsheet.uploads import FileRefused
from diamondpay.models import User
from merchants import queries
from merchants.models import Merchant, MerchantService
from operations import batch_view
from operations.batches import acts, checking, results, returned, rights, template
from operations.batches.models import BatchPayout

_FAULTS_SHOWN_MAX = 500
_BATCHES_SHOWN_MAX = 50


@dataclass
class Chosen:
    """What the form stands at: whose payouts, of which service, from which wallet; and what is wrong."""

    choice: queries.MerchantChoice
    typed: str = ""
    services: list[MerchantService] = field(default_factory=list)
    terms: MerchantService | None = None
    at: checking.Ground | None = None
    wallet: str = ""
    complaints: dict[str, str] = field(default_factory=dict)

    @property
    def merchant(self) -> Merchant | None:
        """The chosen merchant."""
        return self.choice.chosen


def page(request: HttpRequest) -> HttpResponseBase:
    """Show the form and the last batches; take a file."""
    user = _user(request)
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    is_upload = request.method == "POST"
    chosen = _chosen(user, request.POST if is_upload else request.GET)
    viewer = batch_view.Viewer(user)
    outcome: dict[str, Any] = {}
    if is_upload:
        answer = _uploaded(request, user, chosen, outcome)
        if answer is not None:
            return answer
    context = {
        **admin.site.each_context(request),
        "title": _t("Batch Payout"),
        "chosen": chosen,
        "wallets": batch_view.wallets(chosen.at, viewer) if chosen.at else [],
        "fee": batch_view.fee_words(chosen.at) if chosen.at else "",
        "batches": [batch_view.listed(batch, viewer) for batch in _newest(user)],
        "returned": returned.of(user, clock.now()).defer("content_encrypted"),
        "rows_max": template.ROWS_MAX,
        **outcome,
    }
    # While a merchant is being typed the form comes again and again; htmx shows only what is answered 200.
    is_typing = "HX-Request" in request.headers
    is_wrong = is_upload or (bool(chosen.complaints) and not is_typing)
    return TemplateResponse(request, "admin/batches/new.html", context, status=422 if is_wrong else 200)


def _newest(user: User) -> list[BatchPayout]:
    found = rights.batches_for(user).select_related("merchant", "service", "currency", "uploaded_by")
    return list(found[:_BATCHES_SHOWN_MAX])


def _chosen(user: User, sent: Any) -> Chosen:
    """Return what the address or form chooses, within what the user may choose."""
    typed = sent.get("merchant", "").strip()
    chosen = Chosen(choice=queries.choose_merchant(rights.merchants_for(user), typed), typed=typed)
    if chosen.merchant is None:
        if typed:
            chosen.complaints["merchant"] = _t("Choose a merchant of the list.")
        return chosen
    chosen.services = list(
        MerchantService.objects.filter(
            merchant=chosen.merchant, status=MerchantService.Status.ENABLED,
            service__direction=Direction.PAYOUT, service__status=Service.Status.OPEN,
        ).select_related("service__currency").order_by("service_id")
    )  # fmt: skip
    wanted = sent.get("service", "")
    chosen.terms = next((each for each in chosen.services if each.service_id == wanted), None)
    if chosen.terms is None and not wanted and len(chosen.services) == 1:
        chosen.terms = chosen.services[0]
    if chosen.terms is not None:
        _stand_on(chosen, sent.get("wallet", ""))
    elif wanted:
        chosen.complaints["service"] = _t("Choose a service of the list.")
    return chosen


def _stand_on(chosen: Chosen, wallet: str) -> None:
    """Look up what holds for every row of the service; another merchant's wallet is no choice."""
    assert chosen.merchant is not None  # noqa: S101 - a service is chosen of a merchant
    assert chosen.terms is not None  # noqa: S101 - the caller has chosen it
    try:
        chosen.at = checking.ground(merchant=chosen.merchant, service_id=chosen.terms.service_id)
    except errors.DomainError as refusal:
        chosen.complaints["service"] = str(refusal)
        return
    if wallet in {option.merchant_channel.pk for option in chosen.at.options}:
        chosen.wallet = wallet


def _uploaded(
    request: HttpRequest, user: User, chosen: Chosen, outcome: dict[str, Any]
) -> HttpResponseBase | None:  # fmt: skip
    """Take the file and lead to its batch, or say what is wrong and return nothing."""
    file = request.FILES.get("file")
    complaints = chosen.complaints
    if chosen.merchant is None:
        complaints.setdefault("merchant", _t("Choose a merchant."))
    elif chosen.terms is None:
        complaints.setdefault("service", _t("Choose a service."))
    if file is None:
        complaints["file"] = _t("Choose a file.")
    if complaints or file is None or chosen.merchant is None or chosen.terms is None:
        return None
    try:
        upload_kinds.check_size(file.size or 0)
        wanted = acts.Upload(
            merchant_id=chosen.merchant.pk,
            service_id=chosen.terms.service_id,
            merchant_channel_id=chosen.wallet,
            name=file.name or "",
            content=file.read(),
        )
        batch = acts.upload(wanted=wanted, user=user, address=address_of(request), now=clock.now())
    except acts.FileHasFaults as refusal:
        outcome |= {
            "faults": refusal.faults[:_FAULTS_SHOWN_MAX],
            "fault_count": len(refusal.faults),
            "faulty_rows": len({fault.row for fault in refusal.faults}),
            "row_count": refusal.row_count,
            "uploaded_name": file.name,
            "given_back": refusal.returned,
        }
        return None
    except acts.SameFile as refusal:
        outcome["earlier"] = batch_view.listed(refusal.earlier, batch_view.Viewer(user))
        return None
    except errors.NotAllowed:
        raise PermissionDenied from None
    except (FileRefused, errors.InvalidInput) as refusal:
        complaints["file"] = str(refusal)
        return None
    except errors.DomainError as refusal:
        complaints["wallet" if isinstance(refusal, errors.ChannelRequired) else "service"] = str(refusal)
        return None
    return HttpResponseRedirect(_url(batch))


def take_template(request: HttpRequest) -> HttpResponseBase:
    """Hand out the template of a merchant's service."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    chosen = _chosen(_user(request), request.GET)
    if chosen.at is None:
        raise Http404
    file = io.BytesIO()
    template.write(at=chosen.at, file=file)
    return _attached(file, template.file_name(chosen.at))


def shown(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Show a batch: what it would do, how far it is, or what became of it."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    batch = _batch(request, pk)
    context = {
        **admin.site.each_context(request),
        **batch_view.of(batch, batch_view.Viewer(_user(request))),
        **batch_view.rows_of(batch, request.GET),
        "title": _t("Batch payout %d") % batch.pk,
    }
    return TemplateResponse(request, "admin/batches/batch.html", context)


def progress(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Show how far a batch is; when it is over, the whole page is shown anew."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    batch = _batch(request, pk)
    context = batch_view.of(batch, batch_view.Viewer(_user(request)))
    answer: HttpResponse = TemplateResponse(request, "admin/batches/progress.html", context)
    if batch.state != BatchPayout.State.PLACING and request.headers.get("HX-Request"):
        answer.headers["HX-Refresh"] = "true"
    return answer


def confirm(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Let the payouts be created."""
    return step_up.asked(request) or _act(request, pk, acts.confirm)


def discard(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Give up a batch before it is confirmed."""
    return _act(request, pk, acts.discard)


def stop(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Create no more payouts of a batch."""
    return _act(request, pk, acts.stop)


def result(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Hand out the result of a batch as a book, and note who took it."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    batch, now = _batch(request, pk), clock.now()
    file = io.BytesIO()
    zone = ZoneInfo(timezone.get_current_timezone_name())
    results.write(batch=batch, file=file, zone=zone, now=now)
    audit.write(
        action="batch.result", object_kind="batchpayout", object_id=str(batch.pk), now=now,
        user=_user(request), address=address_of(request),
        after={"merchant": batch.merchant_id, "payouts": batch.row_count},
    )  # fmt: skip
    return _attached(file, results.file_name(batch))


def give_back(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Hand a file with wrong rows back to whoever sent it, with what is wrong beside each row."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    if pk > 2**63 - 1:
        raise Http404
    user, address = _user(request), address_of(request)
    try:
        name, content = returned.take(pk=pk, user=user, address=address, now=clock.now())
    except errors.NotAllowed:
        raise Http404 from None
    except returned.FileGone as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("admin:batch_payout"))
    return _attached(io.BytesIO(content), name)


def _act(request: HttpRequest, pk: int, deed: Callable[..., BatchPayout]) -> HttpResponseBase:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    batch = _batch(request, pk)
    now: datetime = clock.now()
    try:
        deed(batch_pk=batch.pk, user=_user(request), address=address_of(request), now=now)
    except errors.NotAllowed:
        raise PermissionDenied from None
    except errors.InvalidInput as refusal:
        messages.error(request, " ".join(str(words) for words in refusal.fields.values()))
    except errors.DomainError as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(_url(batch))


def _attached(file: io.BytesIO, name: str) -> FileResponse:
    file.seek(0)
    answer = FileResponse(file, as_attachment=True, filename=name, content_type=results.CONTENT_TYPE)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _batch(request: HttpRequest, pk: int) -> BatchPayout:
    """Return a batch that the person may open; another's is unknown. Raises: Http404."""
    if pk > 2**63 - 1:
        raise Http404
    found = rights.batches_for(_user(request)).select_related(
        "merchant", "service", "currency", "uploaded_by", "confirmed_by", "stopped_by", "merchant_channel"
    )
    return get_object_or_404(found, pk=pk)


def _url(batch: BatchPayout) -> str:
    return reverse("admin:batch_payout_batch", args=[batch.pk])


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


_PATH = "operations/batch-payout/"
for _page in (
    pages.Page(path=_PATH, name="batch_payout", view=page, permissions=rights.EITHER),
    pages.Page(
        path=f"{_PATH}template/", name="batch_payout_template", view=take_template, permissions=rights.EITHER
    ),
    pages.Page(
        path=f"{_PATH}returned/<int:pk>/",
        name="batch_payout_returned",
        view=give_back,
        permissions=rights.EITHER,
    ),
    pages.Page(path=f"{_PATH}<int:pk>/", name="batch_payout_batch", view=shown, permissions=rights.EITHER),
    pages.Page(
        path=f"{_PATH}<int:pk>/progress/",
        name="batch_payout_progress",
        view=progress,
        permissions=rights.EITHER,
    ),
    pages.Page(
        path=f"{_PATH}<int:pk>/confirm/", name="batch_payout_confirm", view=confirm, permissions=rights.EITHER
    ),
    pages.Page(
        path=f"{_PATH}<int:pk>/discard/", name="batch_payout_discard", view=discard, permissions=rights.EITHER
    ),
    pages.Page(path=f"{_PATH}<int:pk>/stop/", name="batch_payout_stop", view=stop, permissions=rights.EITHER),
    pages.Page(
        path=f"{_PATH}<int:pk>/result/", name="batch_payout_result", view=result, permissions=rights.EITHER
    ),
):
    pages.add_page(_page)
