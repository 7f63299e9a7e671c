"""The app's entry for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RecordsConfig(AppConfig):
    """Name and label of this room."""

    name = "records"
    verbose_name = _("Records")
    default_auto_field = "django.db.models.BigAutoField"
