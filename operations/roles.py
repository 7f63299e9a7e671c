"""The roles as first shipped: groups with the permissions they start with.

Given once by the migration `0002_roles`. From then on an administrator changes them, and no later migrate
gives back what was taken away; a migration that brings new permissions hands out those alone (`give`).
Source: backoffice.md, Permissions.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions

from merchants.access import MERCHANT_ROLE

SUPER_ADMINISTRATOR = "Super Administrator"
OPERATIONS_STAFF = "Operations Staff"
FINANCE_STAFF = "Finance Staff"
CUSTOMER_SERVICE = "Customer Service"
MERCHANT_USER = MERCHANT_ROLE

OUR_APPS = ("diamondpay", "channels", "merchants", "records", "operations")

_ORDERS = (
    "records.view_payment",
    "records.view_payout",
    "records.view_payoutattempt",
    "records.view_statuschange",
    "records.view_upstreamcall",
    "records.view_upstreamcallback",
    "records.view_notification",
    "records.view_notificationattempt",
    "records.view_case",
)
_BALANCES = (
    "records.view_account",
    "records.view_posting",
    "records.view_balancerecord",
    "records.view_balancetransfer",
    "records.view_manualfreeze",
)
_TERMS = (
    "channels.view_currency",
    "channels.view_servicetype",
    "channels.view_requiredfield",
    "channels.view_service",
    "channels.view_bank",
    "channels.view_channel",
    "channels.view_channelservice",
    "merchants.view_merchant",
    "merchants.view_merchantservice",
    "merchants.view_merchantchannel",
    "merchants.view_servicebound",
)
_OWN_VIEWS = (
    "diamondpay.view_savedview",
    "diamondpay.add_savedview",
    "diamondpay.change_savedview",
    "diamondpay.delete_savedview",
)
# What a merchant's own user sees leaves out what is between us and the upstreams.
_OF_A_MERCHANT = (
    "merchants.view_merchant",
    "merchants.view_merchantservice",
    "merchants.view_merchantchannel",
    "records.view_payment",
    "records.view_payout",
    "records.view_statuschange",
    "records.view_notification",
    "records.view_notificationattempt",
    "records.view_balancerecord",
    "records.view_balancetransfer",
    "operations.operation_payment_write",
    "operations.operation_payout_write",
)
_CONFIGURED = (
    "channels.currency",
    "channels.servicetype",
    "channels.requiredfield",
    "channels.service",
    "channels.bank",
    "channels.channel",
    "channels.channelservice",
    "merchants.merchant",
    "merchants.merchantservice",
    "merchants.merchantchannel",
    "merchants.servicebound",
    "merchants.credential",
    "merchants.allowedaddress",
    "merchants.membership",
    "diamondpay.user",
    "auth.group",
)
_DEEDS = (
    "operations.view_act",
    "operations.add_act",
    "operations.operation_payment_write",
    "operations.operation_payment_global_write",
    "operations.operation_payout_write",
    "operations.operation_payout_global_write",
    "operations.close_payment",
    "operations.review_payout",
    "operations.resend_notification",
    "operations.decide_act",
)


def _all_of(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"{app}.{action}_{model}"
        for app, _dot, model in (label.partition(".") for label in labels)
        for action in ("view", "add", "change", "delete")
    )


PERMISSIONS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: (
        *_ORDERS,
        *_BALANCES,
        *_OWN_VIEWS,
        *_all_of(_CONFIGURED),
        *_DEEDS,
        "records.change_case",
        "diamondpay.view_auditrow",
        "diamondpay.view_heartbeat",
    ),
    OPERATIONS_STAFF: (
        *_ORDERS,
        *_BALANCES,
        *_TERMS,
        *_OWN_VIEWS,
        "records.change_case",
        "operations.view_act",
        "operations.add_act",
        "operations.operation_payment_global_write",
        "operations.operation_payout_global_write",
        "operations.close_payment",
        "operations.resend_notification",
    ),
    FINANCE_STAFF: (
        *_ORDERS,
        *_BALANCES,
        *_TERMS,
        *_OWN_VIEWS,
        "operations.view_act",
        "operations.add_act",
        "operations.review_payout",
        "operations.decide_act",
    ),
    CUSTOMER_SERVICE: (*_ORDERS, *_OWN_VIEWS, "channels.view_service", "merchants.view_merchant"),
    MERCHANT_USER: (*_OF_A_MERCHANT, *_OWN_VIEWS),
}

_FILES = (
    "records.view_exportjob",
    "records.add_exportjob",
    "records.view_exporttemplate",
    "records.add_exporttemplate",
    "records.change_exporttemplate",
    "records.delete_exporttemplate",
)
_SCHEDULES = (
    "records.view_exportschedule",
    "records.add_exportschedule",
    "records.change_exportschedule",
    "records.delete_exportschedule",
)
# Came with the migration `0003_export_roles`. Source: backoffice.md, Permissions (finance: exports).
EXPORTS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: (*_FILES, *_SCHEDULES),
    FINANCE_STAFF: (*_FILES, *_SCHEDULES),
    MERCHANT_USER: _FILES,
}
# Came with the migration `0040_security_roles`.
SECURITY: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: (
        "diamondpay.view_signin",
        "diamondpay.unlock_user",
        "diamondpay.remove_second_factor",
        "diamondpay.end_sign_ins",
    ),
}

# Came with the migration `0045_import_roles`: whoever may add such rows by hand.
IMPORTS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: (
        "channels.import_bank",
        "merchants.import_merchantservice",
        "merchants.import_servicebound",
    ),
}


_ORDER_DEEDS = (
    "records.view_proof",
    "records.add_proof",
    "operations.requery_payment",
    "operations.open_payment_page",
    "operations.resend_failed_notifications",
)
# Came with the migration `0020_order_act_roles`. Who asks upstreams had the right to close until then.
# Source: backoffice.md, Operations on an order.
ORDER_ACTS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: _ORDER_DEEDS,
    OPERATIONS_STAFF: _ORDER_DEEDS,
    FINANCE_STAFF: ("records.view_proof", "records.add_proof"),
    CUSTOMER_SERVICE: ("records.view_proof", "operations.open_payment_page"),
    MERCHANT_USER: ("records.view_proof",),
}

_ASKED_BY_STAFF = tuple(
    f"operations.ask_{kind}"
    for kind in (
        "review_payout", "fail_payout", "reinitiate_payout", "supplement_payment", "refund_payment",
        "adjust_balance", "supplement_balance", "freeze_balance", "unfreeze_balance", "transfer_balance",
    )
)  # fmt: skip
# Came with the migration `0012_four_eyes`. Source: promises P5, P6.
APPROVALS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: (
        *_ASKED_BY_STAFF,
        "operations.ask_change_terms",
        "operations.ask_rotate_credential",
        "operations.view_approvalrule",
        "operations.add_approvalrule",
        "operations.change_approvalrule",
    ),
    OPERATIONS_STAFF: (*_ASKED_BY_STAFF, "operations.view_approvalrule"),
    FINANCE_STAFF: (*_ASKED_BY_STAFF, "operations.view_approvalrule"),
}


# Came with the migration `0050_rate_roles`.
RATES: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: ("channels.view_exchangerate",),
    FINANCE_STAFF: ("channels.view_exchangerate",),
    OPERATIONS_STAFF: ("channels.view_exchangerate",),
}
# Came with the migration `0070_rate_acts`. A rate changes what every later order is worth: another decides.
RATE_ACTS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: ("operations.ask_add_rate",),
    FINANCE_STAFF: ("operations.ask_add_rate",),
}

# Came with the migration `0072_own_key_roles`. A merchant's users keep their own keys without asking us.
OWN_KEYS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: ("merchants.view_apicall",),
    OPERATIONS_STAFF: ("merchants.view_apicall",),
    MERCHANT_USER: (
        "merchants.view_apicall",
        "merchants.rotate_own_credential",
        "merchants.change_own_allowedaddress",
        "merchants.test_own_callback",
    ),
}

# Came with the migration `0074_chain_roles`: seen by whoever sees channels, kept by administrators.
_CHAINS_SEEN = ("channels.view_chain", "channels.view_token")
CHAINS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: (
        *_CHAINS_SEEN,
        "channels.add_chain",
        "channels.change_chain",
        "channels.add_token",
        "channels.change_token",
    ),
    OPERATIONS_STAFF: _CHAINS_SEEN,
    FINANCE_STAFF: _CHAINS_SEEN,
}

# Came with the migration `0075_chain_transfer_roles`: seen by whoever sees what upstreams say.
_TRANSFERS_SEEN = ("records.view_chaintransfer",)
CHAIN_TRANSFERS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: _TRANSFERS_SEEN,
    OPERATIONS_STAFF: _TRANSFERS_SEEN,
    FINANCE_STAFF: _TRANSFERS_SEEN,
    CUSTOMER_SERVICE: _TRANSFERS_SEEN,
}

# Came with the migration `0076_activations`: whoever asks for changes of terms.
ACTIVATIONS: dict[str, tuple[str, ...]] = {
    SUPER_ADMINISTRATOR: ("operations.ask_activate_terms",),
}

# All that the migrations have handed out, each its part.
GIVEN: tuple[Mapping[str, tuple[str, ...]], ...] = (
    PERMISSIONS, EXPORTS, SECURITY, IMPORTS, APPROVALS, ORDER_ACTS, RATES, RATE_ACTS,
    OWN_KEYS, CHAINS, CHAIN_TRANSFERS, ACTIVATIONS,
)  # fmt: skip


def give(*, apps: Apps, using: str, permissions: Mapping[str, tuple[str, ...]]) -> None:
    """Give each role its permissions, making the role where it is missing; take nothing away.

    Called by migrations. Django creates permissions only after the last migration, so those that are due
    are created here first, from the models as the migrations have them.
    Raises: LookupError naming a permission whose model the migration does not depend on.
    """
    for label in (*OUR_APPS, "auth"):
        config = apps.get_app_config(label)
        # An app of a migration's state has no models module, which would be taken for "no models".
        if getattr(config, "models_module", None) is None:
            setattr(config, "models_module", True)  # noqa: B010 - typed as a module
        create_permissions(config, verbosity=0, interactive=False, using=using, apps=apps)
    permission = apps.get_model("auth", "Permission")
    by_label = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in permission.objects.using(using).select_related("content_type")
    }
    for role, labels in permissions.items():
        unknown = sorted(set(labels) - set(by_label))
        if unknown:
            raise LookupError(f"{role}: there are no permissions {', '.join(unknown)}")
        group, _created = apps.get_model("auth", "Group").objects.using(using).get_or_create(name=role)
        group.permissions.add(*(by_label[label] for label in labels))
