"""Refunds of deposits: what the database holds of them."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("records", "0010_list_indexes")]

    operations = [migrations.RunSQL((SQL / "refunds.sql").read_text(encoding="utf-8"))]
