"""The page on which finance asks for a day's reconciliation file, of a merchant or of a channel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels.models import Channel
from diamondpay.lib import clock, errors, pages
from diamondpay.models import User
from merchants import access
from merchants.models import Merchant
from records.admin import export_pages
from records.exports import jobs, kinds
from records.models import ExportFormat

_KINDS = ("merchantday", "channelday")
_CHOICES_MAX = 200


class DayForm(forms.Form):
    """Whose day, which day, which format. `of` lists what the person may see; among very many it is typed."""

    of = forms.ChoiceField(label="")
    day = forms.DateField(
        label=_("Day"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("From midnight to midnight."),
    )
    format = forms.ChoiceField(label=_("Format"), choices=ExportFormat.choices, widget=forms.RadioSelect)

    def __init__(self, *args: Any, kind: str, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model: Any = Merchant if kind == "merchantday" else Channel
        visible = access.visible_to(user, model.objects.order_by("pk"))
        options = [(row.pk, str(row)) for row in visible[: _CHOICES_MAX + 1]]
        name = _("Merchant") if kind == "merchantday" else _("Channel")
        if len(options) > _CHOICES_MAX:
            self.fields["of"] = forms.CharField(
                label=name, max_length=32, help_text=_("Its id, such as PF0001.")
            )
        else:
            self.fields["of"] = forms.ChoiceField(label=name, choices=options)
        self.order_fields(["of", "day", "format"])


def page(request: HttpRequest) -> HttpResponseBase:
    """Show the form, and make the file that was asked for."""
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    offered = [kind for kind in _KINDS if jobs.may_export(user, kind)]
    if access.merchants_of(user) is not None:
        # A channel's clearing account is the platform's own.
        offered = [kind for kind in offered if kind == "merchantday"]
    if not offered:
        raise PermissionDenied
    kind = request.GET.get("kind", offered[0])
    if kind not in offered:
        kind = offered[0]
    now = clock.now()
    zone = ZoneInfo(timezone.get_current_timezone_name())
    initial = {"day": now.astimezone(zone).date() - timedelta(days=1), "format": ExportFormat.XLSX}
    form = DayForm(request.POST if request.method == "POST" else None, kind=kind, user=user, initial=initial)
    if form.is_bound and form.is_valid():
        owner = "merchant" if kind == "merchantday" else "channel"
        wanted = jobs.Wanted(
            kind=kind,
            query=urlencode({owner: form.cleaned_data["of"], "day": form.cleaned_data["day"].isoformat()}),
            columns=tuple(each.key for each in kinds.KINDS[kind].offered(user)),
            format=form.cleaned_data["format"],
            zone=zone.key,
        )
        try:
            return export_pages.made(request, wanted=wanted, now=now)
        except errors.InvalidInput as refusal:
            form.add_error(None, [str(words) for words in refusal.fields.values()])
    context = {
        **admin.site.each_context(request),
        "title": gettext("Reconciliation"),
        "form": form,
        "kind": kind,
        "kinds": [(each, kinds.KINDS[each].title) for each in offered],
    }
    status = 422 if form.is_bound else 200
    return TemplateResponse(request, "admin/exports/reconciliation.html", context, status=status)


pages.add_page(
    pages.Page(path="reconciliation/", name="reconciliation", view=page, permissions=(jobs.PERMISSION,))
)
