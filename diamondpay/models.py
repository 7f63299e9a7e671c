"""What every app shares in the database: users and how they sign in, the audit trail, saved views,
preferences, heartbeats.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person who signs in to the back office. Which merchants they belong to is `merchants.Membership`."""

    class Meta(AbstractUser.Meta):
        permissions = [
            ("unlock_user", _("Unlock a user who gave too many wrong passwords")),
            ("remove_second_factor", _("Remove another user’s second factor")),
            ("end_sign_ins", _("Sign another user out everywhere")),
        ]


class AuditRow(models.Model):
    """One write by a person or command, or an attempt that was refused: who, when, from where, what, before
    and after. Append-only (A1, L6).
    """

    created_at = models.DateTimeField(_("time"))
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    actor = models.CharField(_("actor"), max_length=150, help_text=_("User name, or the command that acted."))
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    action = models.CharField(_("action"), max_length=64)
    object_kind = models.CharField(_("object"), max_length=64)
    object_id = models.CharField(_("object id"), max_length=64)
    before = models.JSONField(_("before"), default=dict, blank=True)
    after = models.JSONField(_("after"), default=dict, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    is_refused = models.BooleanField(_("refused"), default=False, db_default=False)

    class Meta:
        verbose_name = _("audit row")
        verbose_name_plural = _("audit rows")
        # Each filter of the list that finds few rows among many has an index that ends in the list's order.
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="audit_newest"),
            models.Index(fields=["object_kind", "object_id", "-created_at"], name="audit_of_object"),
            models.Index(fields=["object_id", "-created_at", "-id"], name="audit_of_id"),
            models.Index(fields=["actor", "-created_at", "-id"], name="audit_of_actor"),
            models.Index(fields=["action", "-created_at", "-id"], name="audit_of_action"),
            models.Index(fields=["address", "-created_at", "-id"], name="audit_of_address"),
            models.Index(
                fields=["-created_at", "-id"], name="audit_refused", condition=models.Q(is_refused=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_kind} {self.object_id}"


class SavedView(models.Model):
    """A named set of filters and columns of one list, private or shared with a role."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="saved_views", verbose_name=_("owner"))
    shared_with = models.ForeignKey(
        "auth.Group",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("shared with role"),
    )
    page = models.CharField(_("page"), max_length=64)
    name = models.CharField(_("name"), max_length=100)
    query = models.TextField(_("query string"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        constraints = [models.UniqueConstraint(fields=["owner", "page", "name"], name="saved_view_name_once")]

    def __str__(self) -> str:
        return self.name


class Preference(models.Model):
    """One remembered choice of one user: time zone, theme, columns of a list."""

    user = models.ForeignKey(User, models.CASCADE, related_name="preferences", verbose_name=_("user"))
    key = models.CharField(_("key"), max_length=64)
    value = models.JSONField(_("value"))

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="preference_once")]

    def __str__(self) -> str:
        return self.key


class Heartbeat(models.Model):
    """When a background part of the platform last showed that it lives."""

    name = models.CharField(_("part"), max_length=32, primary_key=True)
    beat_at = models.DateTimeField(_("last beat"))

    class Meta:
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name


class SignIn(models.Model):
    """One time that a person signed in, until it ended: what a session is to the person it belongs to.

    The session holds the key of its row and is worth nothing once the row has ended. `proved_at` is when the
    person last gave a password or code in it; `second_factor_at` when a code, at the sign-in or since.
    """

    class Ending(models.TextChoices):
        SIGNED_OUT = "signed_out", _("Signed out")
        IDLE = "idle", _("Nothing was done for too long")
        ELSEWHERE = "elsewhere", _("Ended from another window")
        PASSWORD = "password", _("The password was changed")
        ADMINISTRATOR = "administrator", _("Ended by an administrator")
        TRIES = "tries", _("Too many wrong proofs")

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins", verbose_name=_("user"))
    started_at = models.DateTimeField(_("signed in"))
    active_at = models.DateTimeField(_("last used"))
    proved_at = models.DateTimeField(_("last proof"))
    second_factor_at = models.DateTimeField(_("second factor"), null=True, blank=True)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    browser = models.CharField(_("browser"), max_length=200, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ending = models.CharField(_("why it ended"), max_length=13, choices=Ending, blank=True)

    class Meta:
        verbose_name = _("sign-in")
        verbose_name_plural = _("sign-ins")
        indexes = [models.Index(fields=["user", "-started_at"], name="sign_in_of_user")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True, ending="")
                | (models.Q(ended_at__isnull=False) & ~models.Q(ending="")),
                name="sign_in_ended_for_a_reason",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.started_at:%Y-%m-%d %H:%M}"


class SecondFactor(models.Model):
    """A person's app that makes codes (RFC 6238). Not confirmed until a first code was right.

    `last_step` is the time step of the newest code that was taken: no code is taken twice.
    """

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="second_factor")
    secret_encrypted = models.BinaryField()
    created_at = models.DateTimeField(_("begun"))
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    last_step = models.BigIntegerField(default=-1)

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")

    def __str__(self) -> str:
        return str(self.user_id)


class RecoveryCode(models.Model):
    """A code on paper that stands in once for the app that was lost."""

    user = models.ForeignKey(User, models.CASCADE, related_name="recovery_codes")
    code_hash = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(_("used"), null=True, blank=True)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_code_once")]

    def __str__(self) -> str:
        return str(self.pk)


class Tries(models.Model):
    """How often something was tried in vain, by what is counted: an account at an address, either, a code.

    The key is a keyed hash: what people type as a user name may be their password.
    """

    key = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=16)
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="tries")
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    count = models.IntegerField(_("tries"))
    began_at = models.DateTimeField(_("first"))
    locked_until = models.DateTimeField(_("locked until"), null=True, blank=True)

    class Meta:
        verbose_name = _("tries")
        verbose_name_plural = _("tries")
        indexes = [models.Index(fields=["began_at"], name="tries_by_age")]

    def __str__(self) -> str:
        return self.kind


class RoleRule(models.Model):
    """What a role asks of its people beside permissions."""

    role = models.OneToOneField("auth.Group", models.CASCADE, primary_key=True, related_name="rule")
    needs_second_factor = models.BooleanField(_("second factor required"), default=False)

    class Meta:
        verbose_name = _("rule of a role")
        verbose_name_plural = _("rules of roles")

    def __str__(self) -> str:
        return str(self.role_id)
