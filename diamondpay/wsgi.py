"""The web process: `gunicorn diamondpay.wsgi`."""

import os

# Before anything reads the settings: threads share a pool, and nobody waits on one statement for ever.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "diamondpay.settings")
os.environ.setdefault("DIAMONDPAY_DATABASE_POOL_SIZE", "10")
os.environ.setdefault("DIAMONDPAY_STATEMENT_SECONDS_MAX", "30")

import gc

from django.core.signals import request_started
from django.core.wsgi import get_wsgi_application
from django.db import reset_queries

from diamondpay import celery

__all__ = ["application", "celery"]

application = get_wsgi_application()
# Statements are kept for whoever debugs; here nothing keeps any, so there is nothing to forget.
request_started.disconnect(reset_queries)
# What is loaded by now stays for good; without this each full collection walks all of it again.
gc.collect()
gc.freeze()
