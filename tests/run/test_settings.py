"""The settings as processes meet them: which environments start, and what the others are told."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from diamondpay import environment
from tests.run.terminal import clean_environment

PRODUCTION = {
    "SECRET_KEY": "correct-horse-battery-staple-0123456789-ABCDEFGHIJKLMNOP",
    "DATABASE_URL": "postgresql://app:canary-password@db.example.com/diamondpay",
    "DIAMONDPAY_ENCRYPTION_KEYS": base64.b64encode(b"e" * 32).decode(),
    "DIAMONDPAY_HASH_KEY": base64.b64encode(b"h" * 32).decode(),
    "DIAMONDPAY_PUBLIC_URL": "https://pay.example.com",
}


def _check(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", *arguments],
        cwd=environment.ROOT,
        env=clean_environment(DIAMONDPAY_HOME=str(home), **variables),
        capture_output=True,
        text=True,
    )


def test_production_passes_djangos_deployment_checks(tmp_path: Path) -> None:
    answer = _check(tmp_path, "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout


def test_production_signs_out_the_idle_after_a_quarter_of_an_hour(tmp_path: Path) -> None:
    code = "from diamondpay import settings as s; print(s.IDLE_SECONDS, s.STEP_UP_SECONDS)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=environment.ROOT, capture_output=True, text=True,
        env=clean_environment(DIAMONDPAY_HOME=str(tmp_path), **PRODUCTION),
    )  # fmt: skip
    assert answer.stdout.split() == ["900", "600"], answer.stderr


@pytest.mark.parametrize("name", sorted(PRODUCTION))
def test_production_names_what_is_missing_and_starts_nothing(tmp_path: Path, name: str) -> None:
    answer = _check(tmp_path, **{key: value for key, value in PRODUCTION.items() if key != name})
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"DiamondPay cannot start: {name} is not set")
    assert "Traceback" not in answer.stderr
    assert "canary-password" not in answer.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DIAMONDPAY_ENV", "prod", "must be one of production, dev, test"),
        ("DIAMONDPAY_ORDER_PREFIX", "A-B", "at most 8 letters and digits"),
        ("DIAMONDPAY_NOTIFICATION_RETRY_SECONDS", "15,120", "must hold five waits"),
        ("DIAMONDPAY_REQUEST_TIME_SECONDS", "0", "must be from 5 to 3600"),
        ("DIAMONDPAY_CRASH_POINT", "after_commit", "needs DIAMONDPAY_ENV=test"),
        ("DIAMONDPAY_API_KEY_REFUSALS_PER_MINUTE", "0", "must be from 1 to 1000000"),
        ("DIAMONDPAY_REQUEST_LOG", "perhaps", "DIAMONDPAY_REQUEST_LOG"),
        ("DIAMONDPAY_CACHE_URL", "memcached://x", "must start with redis://"),
        ("DATABASE_URL", "sqlite:///x", "only PostgreSQL is supported"),
    ],
)
def test_a_wrong_value_stops_the_start_in_one_sentence(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    answer = _check(tmp_path, **{**PRODUCTION, name: value})
    assert answer.returncode == 1
    assert words in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_without_an_instance_manage_says_how_to_start_one(tmp_path: Path) -> None:
    answer = _check(tmp_path, DIAMONDPAY_ENV="dev")
    assert answer.returncode == 1
    assert "no instance started by `make run`" in answer.stderr
