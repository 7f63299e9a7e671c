"""The pages that ask for the first activation of many rows at once: one for each kind of terms."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _t

from channels.models import Channel, ChannelService
from diamondpay.identity import refusals
from diamondpay.lib import errors, pages, selections
from diamondpay.lib.admin_terms import ASK_MANY, FOUND, MAY_ASK, TermsAdmin
from diamondpay.lib.house import House
from merchants.models import MerchantService, ServiceBound
from operations import act_pages, activations, effects, form_tokens, terms
from operations.act_pages import ActForm, Asked
from operations.models import Act
from records.admin import parts


def answer(request: HttpRequest, model: type[models.Model]) -> HttpResponseBase:
    """Show the chosen rows with their terms, or ask for the activation of each."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    asked = Asked.by(request)
    if not asked.user.has_perms(MAY_ASK):
        _note_refusal(request, model, asked, errors.NotAllowed())
        raise PermissionDenied
    try:
        ids = _chosen(request, model)
    except errors.InvalidInput as refusal:
        return _page(request, model, asked, [], words="; ".join(map(str, refusal.fields.values())))
    if request.method == "POST":
        return _ask(request, model, asked, ids)
    return _page(request, model, asked, ids)


def _chosen(request: HttpRequest, model: type[models.Model]) -> list[str]:
    """Return the ids of the rows that the address or the form names.

    Raises: InvalidInput for filters of the list that cannot be read.
    """
    if request.method != "POST" and FOUND in request.GET:
        listed = cast(TermsAdmin, admin.site.get_model_admin(model))
        return listed.keys_found(request, request.GET[FOUND], row_count_max=activations.ROWS_MAX)
    given = request.POST if request.method == "POST" else request.GET
    return selections.read(
        given, is_numbered=selections.is_numbered(model), row_count_max=activations.ROWS_MAX
    )


def _ask(
    request: HttpRequest, model: type[models.Model], asked: Asked, ids: Sequence[str]
) -> HttpResponseBase:
    form = ActForm(request.POST, asked=asked)
    token = request.POST.get("form_token", "")
    if not form.is_valid():
        return _page(request, model, asked, ids, form=form, token=token)
    try:
        count = activations.ask(
            user=asked.user, kind=_kind(model), ids=ids, seen=request.POST.get("seen", ""), token=token,
            reason=form.cleaned_data["reason"], now=asked.now, address=asked.address,
        )  # fmt: skip
    except errors.NotAllowed as refusal:
        _note_refusal(request, model, asked, refusal)
        raise PermissionDenied from None
    except errors.InvalidInput as refusal:
        act_pages.complain(form, refusal)
        return _page(request, model, asked, ids, form=form, token=token)
    except errors.DomainError as refusal:
        return _page(request, model, asked, ids, form=form, token=token, words=str(refusal))
    messages.success(request, activations.in_words(count))
    return HttpResponseRedirect(f"{reverse('admin:acts_waiting')}?kind={Act.Kind.ACTIVATE_TERMS}&whose=own")


def _page(
    request: HttpRequest, model: type[models.Model], asked: Asked, ids: Sequence[str], *,
    form: ActForm | None = None, token: str = "", words: str = "",
) -> TemplateResponse:  # fmt: skip
    try:
        found = activations.look(user=asked.user, kind=_kind(model), ids=ids)
    except activations.TooMany as refusal:
        found = activations.Found(rows=(), left_out=(), unknown_count=0)
        words = str(refusal)
    title = cast(House, admin.site).title_of(model)
    names = terms.FIELDS[_kind(model)]
    context = {
        **admin.site.each_context(request),
        "title": _t("Ask for activation: %s") % title,
        "list_name": title,
        "list_url": reverse(f"admin:{model._meta.app_label}_{_kind(model)}_changelist"),
        "object_word": model._meta.verbose_name,
        "columns": [cast(Any, model._meta.get_field(name)).verbose_name for name in names],
        "rows": [_row(row) for row in found.rows],
        "left_out": [
            (str(row), parts.page_url(model, row.pk), why) for row, why in found.left_out
        ],
        "unknown_count": found.unknown_count,
        "is_nothing_chosen": not ids,
        "chosen": selections.text(
            (str(row.pk) for row in found.rows), is_numbered=selections.is_numbered(model)
        ),
        "form": form or ActForm(asked=asked),
        "form_token": token or form_tokens.fresh(),
        "seen": found.digest,
        "words": words,
    }  # fmt: skip
    response = TemplateResponse(request, "admin/operations/activations.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


def _row(row: Any) -> dict[str, Any]:
    """Return a row with each of its terms in words, by the heading of its column."""
    return {
        "name": str(row),
        "url": parts.page_url(type(row), row.pk),
        "terms": [
            (row._meta.get_field(name).verbose_name, effects.term_words(row, name, value))
            for name, value in terms.of(row).items()
        ],
    }


def _kind(model: type[models.Model]) -> str:
    return str(model._meta.model_name)


def _note_refusal(
    request: HttpRequest, model: type[models.Model], asked: Asked, refusal: errors.DomainError
) -> None:
    """Keep who tried and was refused; looking at a page is no attempt."""
    if request.method == "POST":
        refusals.write(
            action=f"{activations.FORM}.refused", object_kind=_kind(model), object_id="", user=asked.user,
            address=asked.address, now=asked.now, after={"refusal": refusal.code, "words": str(refusal)},
        )  # fmt: skip


for _model in (MerchantService, ServiceBound, Channel, ChannelService):
    pages.add_page(
        pages.Page(
            path=f"activations/{_kind(_model)}/",
            name=ASK_MANY.format(_kind(_model)),
            # Open to all staff: the page itself asks for the permissions, so that it can note who tried.
            view=functools.partial(answer, model=_model),
        )
    )
