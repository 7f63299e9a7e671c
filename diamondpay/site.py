"""The back office as one site: its menu, whose rows a person sees, the audit trail, the time zone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from diamondpay import audit, navigation, preferences
from diamondpay.identity import sign_ins
from diamondpay.lib import admin as model_pages
from diamondpay.lib import clock, deadlines, pages
from diamondpay.models import SignIn, User
from diamondpay.navigation import Item, Link
from diamondpay.people.signing_in import OwnPasswordView, SignInView
from merchants import access

# The menu, grouped and titled as the seeds do (000 Order Records, 002 Operation Management).
MENU: tuple[tuple[Any, tuple[Item, ...]], ...] = (
    (_("Records"), (
        ("records.payment", _("Deposit Order Records")),
        ("records.payout", _("Payout Order Records")),
        ("records.balancerecord", _("Balance Records")),
        ("records.balancetransfer", _("Balance Transfer")),
        ("records.notification", _("Notification Details")),
        ("records.upstreamcallback", _("Upstream Callbacks")),
        ("records.chaintransfer", _("Chain Transfers")),
        ("records.case", _("Cases")),
        ("records.exportjob", _("Files")),
        Link(
            url_name="admin:reconciliation", title=_("Reconciliation"),
            permissions=("records.add_exportjob",),
        ),
        ("records.exportschedule", _("Scheduled Files")),
        ("records.exporttemplate", _("File Templates")),
        ("records.account", _("Wallets")),
        Link(
            url_name="admin:channel_balances", title=_("Channel Balances"),
            permissions=("records.view_account",),
        ),
        ("records.manualfreeze", _("Manual Freezes")),
        ("records.posting", _("Postings")),
        ("records.payoutattempt", _("Payout Attempts")),
        ("records.proof", _("Proofs")),
        ("records.statuschange", _("Status Changes")),
        ("records.upstreamcall", _("Upstream Calls")),
        ("records.notificationattempt", _("Notification Attempts")),
        ("records.orderhourtotal", _("Totals by Hour")),
        ("records.orderdaytotal", _("Totals by Day")),
        ("records.ordertotal", _("Totals")),
        ("records.platformtotal", _("Totals of the Platform")),
        ("records.summarytotal", _("Totals Summed Up")),
        ("records.amounttotal", _("Totals by Amount")),
        ("records.orderdelta", _("Totals Not Folded Yet")),
        ("records.accounttotal", _("System Account Totals")),
        ("records.accountdelta", _("System Account Changes")),
    )),
    (_("Operations"), (
        Link(
            url_name="admin:create_payment", title=_("Create Deposit Order"),
            permissions=("operations.operation_payment_write", "operations.operation_payment_global_write"),
        ),
        Link(
            url_name="admin:create_payout", title=_("Create Payout Order"),
            permissions=("operations.operation_payout_write", "operations.operation_payout_global_write"),
        ),
        Link(
            url_name="admin:batch_payout", title=_("Batch Payout"),
            permissions=("operations.operation_payout_write", "operations.operation_payout_global_write"),
        ),
        Link(
            url_name="admin:order_query", title=_("Order Query"),
            permissions=("records.view_payment", "records.view_payout"),
        ),
        Link(
            url_name="admin:acts_waiting", title=_("Waiting for a Decision"),
            permissions=("operations.view_act",),
        ),
        Link(
            url_name="admin:balance_acts", title=_("Balance Operations"),
            permissions=(
                "operations.ask_adjust_balance", "operations.ask_supplement_balance",
                "operations.ask_freeze_balance", "operations.ask_transfer_balance",
            ),
        ),
        ("operations.act", _("Manual Operations")),
        Link(
            url_name="admin:resend_failed", title=_("Resend Failed Notifications"),
            permissions=("operations.resend_failed_notifications",),
        ),
        ("operations.approvalrule", _("Approval Rules")),
        ("operations.formtoken", _("Sent Forms")),
    )),
    (_("Statistics"), (
        Link(
            url_name="admin:service_statistics", title=_("Service Statistics"),
            permissions=("records.view_payment", "records.view_payout"),
        ),
        Link(
            url_name="admin:success_rate_statistics", title=_("Success Rate Statistics"),
            permissions=("records.view_payment", "records.view_payout"),
        ),
    )),
    (_("Merchants"), (
        ("merchants.merchant", _("Merchants")),
        ("merchants.merchantservice", _("Merchant Services")),
        ("merchants.merchantchannel", _("Merchant Channels")),
        ("merchants.servicebound", _("Service Boundaries")),
        ("merchants.credential", _("Keys")),
        Link(
            url_name="admin:own_keys", title=_("API Keys"),
            permissions=("merchants.rotate_own_credential", "merchants.change_own_allowedaddress"),
        ),
        Link(
            url_name="admin:own_callback_test", title=_("Test Callback"),
            permissions=("merchants.test_own_callback",),
        ),
        ("merchants.apicall", _("Request Log")),
        ("merchants.allowedaddress", _("IP Allow-list")),
        ("merchants.membership", _("Merchant Users")),
    )),
    (_("Channels"), (
        ("channels.channel", _("Channels")),
        ("channels.channelservice", _("Channel Services")),
        ("channels.service", _("Services")),
        ("channels.servicetype", _("Service Types")),
        ("channels.requiredfield", _("Required Fields")),
        ("channels.bank", _("Banks")),
        ("channels.currency", _("Currencies")),
        ("channels.exchangerate", _("Exchange Rates")),
        ("channels.chain", _("Chains")),
        ("channels.token", _("Tokens")),
    )),
    (_("Administration"), (
        ("diamondpay.user", _("User Management")),
        Link(url_name="admin:rights", title=_("Who May Do What"), permissions=("diamondpay.view_user",)),
        ("auth.group", _("Roles")),
        ("diamondpay.auditrow", _("Audit Trail")),
        ("diamondpay.signin", _("Sign-ins")),
        ("diamondpay.savedview", _("Saved Views")),
        ("diamondpay.preference", _("Preferences")),
        ("diamondpay.heartbeat", _("Background Parts")),
    )),
)  # fmt: skip


# Tables that few people open: folded under "More" in the navigation.
RARE = frozenset({
    "records.exportschedule", "records.exporttemplate",
    "records.manualfreeze", "records.posting", "records.payoutattempt", "records.statuschange",
    "records.upstreamcall", "records.notificationattempt", "records.orderhourtotal", "records.orderdaytotal",
    "records.proof", "records.ordertotal", "records.platformtotal", "records.summarytotal",
    "records.amounttotal", "records.orderdelta",
    "records.accounttotal", "records.accountdelta",
    "merchants.servicebound", "merchants.allowedaddress", "merchants.membership",
    "channels.servicetype", "channels.requiredfield", "channels.bank", "channels.currency",
    "channels.chain", "channels.token",
    "diamondpay.signin", "diamondpay.savedview", "diamondpay.preference", "diamondpay.heartbeat",
    "operations.formtoken",
})  # fmt: skip


_menu = navigation.Menu(MENU, rare=RARE)


class Site(admin.AdminSite):
    """The back office. Pages ask it whose rows to show and tell it what they did (`lib.house.House`)."""

    site_header = "DiamondPay"
    site_title = "DiamondPay"
    index_title = _("Home")
    site_url = None
    empty_value_display = "–"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Rows of merchants, orders and money are never removed in bulk.
        self.disable_action("delete_selected")

    def visible_to(self, user: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that the user may see."""
        return access.visible_to(user, queryset, ask=access.confined_to)

    def write_audit(
        self,
        request: HttpRequest,
        *,
        action: str,
        obj: models.Model,
        before: Mapping[str, object],
        after: Mapping[str, object],
    ) -> None:
        """Write who did what to which row, inside the deed's transaction (A1)."""
        audit.write(
            action=action,
            object_kind=str(obj._meta.model_name),
            object_id=str(obj.pk),
            user=request.user if isinstance(request.user, User) else None,
            address=model_pages.address_of(request),
            before=before,
            after=after,
            now=clock.now(),
        )

    def title_of(self, model: type[models.Model]) -> str:
        """Return the name of a model's list in the menu."""
        return str(_TITLES.get(model._meta.label_lower, capfirst(model._meta.verbose_name_plural)))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the menu: the groups of the seeds, of each what the person may open."""
        if app_label is not None:
            return list(super().get_app_list(request, app_label))
        return _menu.of(request, lambda: self._offered(request))

    def _offered(self, request: HttpRequest) -> dict[str, Any]:
        """Return the lists that the person may open, by model label."""
        return {
            f"{app['app_label']}.{entry['object_name']}".lower(): entry
            for app in self._build_app_dict(request).values()
            for entry in app["models"]
        }

    def get_urls(self) -> list[Any]:
        """Give the registered pages their addresses, before Django's own catch-all."""
        return [*(self._address(page) for page in pages.registered_pages()), *super().get_urls()]

    def _address(self, page: pages.Page) -> URLPattern:
        def view(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
            if not pages.may_open(request.user, page.permissions):
                raise PermissionDenied
            request.current_app = self.name
            return page.view(request, **arguments)

        address: URLPattern = path(page.path, self.admin_view(view), name=page.name)
        return address

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the home page: the panels of the person's role."""
        now = clock.moment_of(request)
        shown = [
            {"name": panel.name, "template": panel.template, "context": context}
            for panel in pages.panels_for(request.user)
            if (context := panel.context(request, now)) is not None
        ]
        return super().index(request, {"home_panels": shown, **(extra_context or {})})

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Lead to the home page, which is grouped for people and not by app."""
        return HttpResponseRedirect(reverse("admin:index", current_app=self.name))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add where in the menu the page is, the zone that times are shown in, and the roles of who looks."""
        name = str(timezone.get_current_timezone())
        context = super().each_context(request)
        menu = context["available_apps"]
        entries = (entry for group in menu for entry in group["models"])
        return {
            **context,
            # The entry of the menu that this page belongs to.
            "place": next((entry for entry in entries if entry.get("is_current")), None),
            "idle_seconds": settings.IDLE_SECONDS,
            "zone": name,
            "zone_city": name.rpartition("/")[2].replace("_", " "),
            "zone_offset": preferences.offset_of(ZoneInfo(name), clock.moment_of(request)),
            # Both are asked only where the frame is drawn, not for a part of a page.
            "navigation": lambda: navigation.navigation(request, menu),
            "role_names": lambda: _role_names(request.user),
        }

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Show every page in the viewer's zone, from the view to the last line of its template."""
        checked: Any = super().admin_view(view, cacheable)

        @wraps(checked)
        def in_zone(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            with timezone.override(preferences.zone_of(request.user)):
                try:
                    response = checked(request, *args, **kwargs)
                    # A template response would be rendered after this block, in the server's zone.
                    if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
                        response.render()
                except (DatabaseError, deadlines.TookTooLong) as fault:
                    if not deadlines.is_given_up(fault):
                        raise
                    return render(request, "admin/took_too_long.html", status=HTTPStatus.SERVICE_UNAVAILABLE)
                return response

        return in_zone

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Let a person sign in; say why they were signed out, where that is known."""
        home = reverse("admin:index", current_app=self.name)
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(home)
        context = {
            **self.each_context(request),
            "title": gettext("Log in"),
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            "ended": dict(SignIn.Ending.choices).get(request.GET.get("ended", "")),
            **(extra_context or {}),
        }
        if REDIRECT_FIELD_NAME not in request.GET and REDIRECT_FIELD_NAME not in request.POST:
            context[REDIRECT_FIELD_NAME] = home
        request.current_app = self.name
        return SignInView.as_view(house=self, extra_context=context)(request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Sign a person out, with an audit row."""
        row: SignIn | None = getattr(request, "sign_in", None)
        if request.method == "POST" and row is not None and isinstance(request.user, User):
            with transaction.atomic():
                sign_ins.end(row, ending=SignIn.Ending.SIGNED_OUT, now=clock.now())
                self.write_audit(request, action="user.sign_out", obj=request.user, before={}, after={})
        return super().logout(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Let people change their own password; the change is audited."""
        view = OwnPasswordView.as_view(
            house=self, extra_context={**self.each_context(request), **(extra_context or {})}
        )
        request.current_app = self.name
        return view(request)


_TITLES = {item[0]: item[1] for _group, items in MENU for item in items if isinstance(item, tuple)}


def _role_names(user: Any) -> str:
    names = [role.name for role in access.roles_of(user)]
    return ", ".join([gettext("Superuser"), *names] if user.is_superuser else names)
