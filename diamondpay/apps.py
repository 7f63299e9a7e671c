"""The kernel as Django apps: what every room shares in the database, and the back office's site."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class DiamondPayConfig(AppConfig):
    """Users, audit rows, saved views, preferences and heartbeats."""

    name = "diamondpay"
    verbose_name = "DiamondPay"
    default_auto_field = "django.db.models.BigAutoField"
    default = True


class SiteConfig(admin_apps.AdminConfig):
    """Django's admin with our site in place of its own."""

    default_site = "diamondpay.site.Site"
    default = False
