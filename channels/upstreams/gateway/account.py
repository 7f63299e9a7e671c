"""One merchant account at an upstream gateway: the channel's settings, read once and strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from channels.upstreams import setting_values
from channels.upstreams.base import SettingField
from diamondpay.lib import signing

V1, V2 = "v1", "v2"
_CURRENCY = re.compile(r"[A-Z]{3,8}", re.ASCII)

SETTING_FIELDS = (
    SettingField(name="base_url", label="Address", default="https://"),
    SettingField(name="platform_id", label="Platform ID"),
    SettingField(name="platform_key", label="Platform key", is_secret=True),
    SettingField(name="authorization", label="Authorization", is_secret=True),
    SettingField(name="currency", label="Currency of the account", default="CNY"),
    SettingField(name="version", label="Version (v1 or v2)", is_required=False, default=V1),
    SettingField(
        name="sign_type",
        label="Signature (HMAC-SHA256 or MD5)",
        is_required=False,
        default=signing.HMAC_SHA256,
    ),
    SettingField(
        name="signed_answers", label="Answers are signed (yes or no)", is_required=False, default="yes"
    ),
    SettingField(name="timeout_seconds", label="Seconds to wait", is_required=False, default="15"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """The settings. `is_signed` trusts nothing that is not proven by a signature over all of it."""

    base_url: str
    platform_id: str
    platform_key: str
    authorization: str
    currency: str
    version: str
    sign_type: str
    is_signed: bool
    timeout_seconds: float


def account(settings: Mapping[str, str]) -> Account:
    """Return the account that the settings describe.

    Raises: ValueError naming the setting that is missing or makes no sense.
    """
    is_signed = setting_values.one_of(settings, "signed_answers", ("yes", "no")) == "yes"
    currency = setting_values.required(settings, "currency")
    if not _CURRENCY.fullmatch(currency):
        raise ValueError("The setting currency must be a currency code such as CNY.")
    return Account(
        base_url=setting_values.base_url(settings, is_signed=is_signed),
        platform_id=setting_values.required(settings, "platform_id"),
        platform_key=setting_values.required(settings, "platform_key"),
        authorization=setting_values.required(settings, "authorization"),
        currency=currency,
        version=setting_values.one_of(settings, "version", (V1, V2)),
        sign_type=setting_values.one_of(settings, "sign_type", (signing.HMAC_SHA256, signing.MD5)),
        is_signed=is_signed,
        timeout_seconds=setting_values.timeout_seconds(settings),
    )
