"""Forms of merchants, their services, wallets and users. Fees, limits and bounds are two people's."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import addresses, admin_forms, destinations, ids


class MerchantForm(admin_forms.LockedForm):
    """A merchant's own row. Debug mode is switched through `merchants.debug`, which knows when it ends."""

    def clean(self) -> dict[str, Any]:
        """Refuse amounts below 0 and a callback address to which nothing may be sent."""
        cleaned = super().clean()
        self.refuse_negative("payout_audit_amount")
        url = cleaned.get("notify_url")
        if url and "notify_url" in self.changed_data:
            self._refuse_private_destination(str(url))
        return cleaned

    def clean_name(self) -> str:
        """Keep names without blanks around them."""
        return str(self.cleaned_data["name"]).strip()

    def _refuse_private_destination(self, url: str) -> None:
        """Look at the address as it is written; what its name resolves to is asked when something is sent.

        Asking DNS here would be network inside the transaction that holds the row.
        """
        try:
            host = destinations.parse_url(url).host
            literal = destinations.literal_address(host)
            if literal is not None:
                destinations.check_addresses(host, [literal], settings.NOTIFICATION_PRIVATE_NETWORKS)
        except destinations.AddressRefused as refusal:
            self.add_error("notify_url", refusal.reason)


class MerchantServiceForm(admin_forms.TermsForm):
    """An activated service with its fee and limits."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("merchant", "service")
    fixed_in_force: ClassVar[tuple[str, ...]] = (
        "fee_type", "fee_permillage", "fee_fixed", "single_limit_lower_bound", "single_limit_upper_bound",
        "after_failure",
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Refuse reversed limits and fees of 100 % and more."""
        cleaned = super().clean()
        self.refuse_fee()
        self.refuse_negative("single_limit_lower_bound", "single_limit_upper_bound")
        self.refuse_reversed("single_limit_lower_bound", "single_limit_upper_bound")
        return cleaned


class ServiceBoundForm(admin_forms.TermsForm):
    """The boundary of one service on one wallet."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("merchant_channel", "service")
    fixed_in_force: ClassVar[tuple[str, ...]] = ("lower_bound", "upper_bound")

    def clean(self) -> dict[str, Any]:
        """Refuse reversed bounds."""
        cleaned = super().clean()
        self.refuse_negative("lower_bound", "upper_bound")
        self.refuse_reversed("lower_bound", "upper_bound")
        return cleaned


class WalletForm(admin_forms.LockedForm):
    """A wallet keeps its merchant, channel and currency; a new one gets its number when it is saved."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("merchant", "channel", "currency")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "currency" in self.fields:
            self.fields["currency"].required = False
            self.fields["currency"].help_text = _(
                "Empty: the channel's. In another one, orders are settled at the exchange rate."
            )

    def save(self, commit: bool = True) -> Any:
        """Give a new wallet its number, and its channel's currency where none was chosen."""
        if self.instance._state.adding:
            self.instance.pk = ids.merchant_channel_id(ids.next_number("merchant_channel_number"))
            if not self.instance.currency_id:
                self.instance.currency_id = self.instance.channel.currency_id
        return super().save(commit)


class AllowedAddressForm(admin_forms.LockedForm):
    """An address or network, kept in its one spelling so that it stands on the list once."""

    def clean_network(self) -> str:
        """Write the network in its shortest form."""
        return str(addresses.network(str(self.cleaned_data["network"]), is_strict=True))


class EndForm(forms.Form):
    """Why a key ends now."""

    reason = forms.CharField(label=_("Reason"), max_length=500)
    seen = forms.CharField(widget=forms.HiddenInput)


def is_debug_switched(form: MerchantForm) -> bool | None:
    """Return what debug mode was switched to, None when it was left alone."""
    before = form.initial.get("debug_mode", False)
    after = form.cleaned_data.get("debug_mode", before)
    return None if bool(before) == bool(after) else bool(after)
