"""Load the rules of the book: `records/sql/*.sql`, one subject a file."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
SUBJECTS = ["sequences", "append_only", "ledger", "orders", "attempts", "totals", "checks"]


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0001_initial"),
        ("operations", "0001_initial"),
        ("merchants", "0001_initial"),
        ("channels", "0001_initial"),
        ("diamondpay", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL((SQL / f"{subject}.sql").read_text(encoding="utf-8")) for subject in SUBJECTS
    ]
