"""The request log: what merchants called and what they were answered, for 30 days."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ApiCall(models.Model):
    """One call of an API and its answer. Written in batches by `merchants.calls.journal`, never changed.

    The log follows the calls and holds none of them up, so nothing here is enforced by foreign keys: a row
    says what was, also of what is gone. `merchant` is whom the call named; unless `is_proved`, whoever sent
    it did not show that they are that merchant, and neither body is kept. Bodies are masked before they are
    stored.

    Units: `duration_ms` in milliseconds; `lost_before` in calls of the same process that could not be kept
    since the row before.
    """

    merchant = models.ForeignKey(
        "merchants.Merchant", models.DO_NOTHING, null=True, db_constraint=False, db_index=False,
        related_name="+", verbose_name=_("merchant"),
    )  # fmt: skip
    credential = models.ForeignKey(
        "merchants.Credential", models.DO_NOTHING, null=True, db_constraint=False, db_index=False,
        related_name="+", verbose_name=_("key"),
    )  # fmt: skip
    is_proved = models.BooleanField(_("caller proved"))
    api = models.CharField(_("API"), max_length=20)
    method = models.CharField(_("method"), max_length=8)
    path = models.CharField(_("path"), max_length=256)
    address = models.GenericIPAddressField(_("address"), null=True)
    status = models.PositiveSmallIntegerField(_("HTTP status"))
    code = models.CharField(_("code"), max_length=40)
    duration_ms = models.PositiveIntegerField(_("milliseconds"))
    request = models.TextField(_("request"))
    answer = models.TextField(_("answer"))
    lost_before = models.PositiveIntegerField(_("not logged before"))
    created_at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("API call")
        verbose_name_plural = _("API calls")
        indexes = [
            models.Index(fields=["created_at"], name="api_call_oldest"),
            models.Index(fields=["merchant", "-id"], name="api_call_of_merchant"),
            models.Index(fields=["code", "-id"], name="api_call_of_code"),
            models.Index(fields=["path", "-id"], name="api_call_of_path"),
            models.Index(fields=["created_at"], name="api_call_losses", condition=Q(lost_before__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"
