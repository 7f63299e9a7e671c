"""Production serves style sheets and scripts under names that change with their content."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from diamondpay import environment

_LOGIN = """
import django
django.setup()
from django.test import Client
answer = Client().get("/admin/login/", HTTP_X_FORWARDED_PROTO="https", HTTP_HOST="pay.example.com")
print(answer.status_code)
print(answer.content.decode())
"""


def _production(home: Path, database_url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "diamondpay.settings",
        "DIAMONDPAY_ENV": "production",
        "DIAMONDPAY_HOME": str(home),
        "DIAMONDPAY_TRUSTED_PROXY_COUNT": "1",
        "DIAMONDPAY_PUBLIC_URL": "https://pay.example.com",
        "SECRET_KEY": "0123456789" * 5,
        "DIAMONDPAY_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "DIAMONDPAY_HASH_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
    }


def test_every_file_that_a_page_names_is_collected_and_found(tmp_path: Path, database_url: str) -> None:
    """`collectstatic` fails when a style sheet names a file that is not there."""
    production = _production(tmp_path, database_url)
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        env=production, cwd=environment.ROOT, check=True, timeout=120,
    )  # fmt: skip
    shown = subprocess.run(
        [sys.executable, "-c", _LOGIN],
        env=production, cwd=environment.ROOT, check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    status, _, page = shown.stdout.partition("\n")
    assert status == "200"
    named = re.findall(r'(?:href|src)="/static/([^"]+\.(?:css|js|svg))"', page)
    assert named
    assert [name for name in named if not (tmp_path / "static" / name).exists()] == []
    assert [name for name in named if not re.search(r"\.[0-9a-f]{12}\.\w+$", name)] == []
