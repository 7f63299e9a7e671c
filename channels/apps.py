"""The app's entry for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsConfig(AppConfig):
    """Name and label of this room."""

    name = "channels"
    verbose_name = _("Channels")
    default_auto_field = "django.db.models.BigAutoField"
