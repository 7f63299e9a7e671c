"""Load the rules of accounts and orders again: lighter look-ups, and a wallet locked for a shorter time."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
SUBJECTS = ["ledger", "orders"]


class Migration(migrations.Migration):
    dependencies = [("records", "0003_platform_totals")]

    operations = [
        migrations.RunSQL((SQL / f"{subject}.sql").read_text(encoding="utf-8")) for subject in SUBJECTS
    ]
