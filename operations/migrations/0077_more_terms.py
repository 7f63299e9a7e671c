"""Tolerances, what follows a failure and a channel's settings become terms: two people's, in the database."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("operations", "0076_activations")]

    operations = [migrations.RunSQL((SQL / "terms.sql").read_text(encoding="utf-8"))]
