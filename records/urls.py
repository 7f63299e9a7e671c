"""URLs of the book: the upstreams' way in."""

from __future__ import annotations

from django.urls import path

from records import views

urlpatterns = [
    path("callbacks/<slug:channel_code>", views.upstream_callback, name="upstream-callback"),
]
