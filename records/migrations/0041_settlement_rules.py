"""Load the rules of orders again: what was asked for and how it is paid are fixed terms, conversions are checked."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
SUBJECTS = ["orders", "settlement_checks"]


class Migration(migrations.Migration):
    dependencies = [("records", "0040_settlement")]

    operations = [
        migrations.RunSQL((SQL / f"{subject}.sql").read_text(encoding="utf-8")) for subject in SUBJECTS
    ]
