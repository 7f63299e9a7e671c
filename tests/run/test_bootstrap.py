"""`.venv` from nothing, with an interpreter that has nothing, in a copy of the few files it reads."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from diamondpay import environment
from diamondpay.run import bootstrap
from tests.run.terminal import clean_environment


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the bootstrap and requirement files that ask for nothing, so no network is needed."""
    script = tmp_path / "diamondpay" / "run" / "bootstrap.py"
    script.parent.mkdir(parents=True)
    shutil.copy(environment.ROOT / "diamondpay" / "run" / "bootstrap.py", script)
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-uv.txt"):
        (tmp_path / name).write_text("")
    return tmp_path


def _bootstrap(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    python = Path(sys.base_prefix) / "bin" / "python3"
    return subprocess.run(
        [str(python), "-I", "-S", "diamondpay/run/bootstrap.py", *arguments],
        cwd=copy,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )


def test_the_first_start_makes_an_environment_and_the_second_has_nothing_to_do(copy: Path) -> None:
    first = _bootstrap(copy)
    assert first.returncode == 0, first.stderr
    assert "Creating .venv" in first.stdout
    assert (copy / ".venv" / "bin" / "python").exists()
    assert _bootstrap(copy).stdout == ""


def test_a_changed_requirement_is_noticed_and_a_broken_file_is_a_failure(copy: Path) -> None:
    assert _bootstrap(copy).returncode == 0
    (copy / "requirements.txt").write_text("no-such-package-of-ours==1.0\n")
    answer = _bootstrap(copy)
    assert answer.returncode == 1
    assert "Setting up failed" in answer.stderr
    (copy / "requirements.txt").write_text("")
    assert _bootstrap(copy).stdout == ""


def test_an_environment_whose_python_is_gone_is_made_anew(copy: Path) -> None:
    assert _bootstrap(copy).returncode == 0
    (copy / ".venv" / "bin" / "python").unlink()
    answer = _bootstrap(copy)
    assert answer.returncode == 0
    assert "Creating .venv" in answer.stdout


def test_tests_ask_for_more_than_the_product(tmp_path: Path) -> None:
    runtime, tools = tmp_path / "requirements.txt", tmp_path / "requirements-dev.txt"
    runtime.write_text("a\n")
    tools.write_text("b\n")
    assert bootstrap.fingerprint([runtime]) != bootstrap.fingerprint([runtime, tools])


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-uv.txt"])
def test_every_requirement_is_exact_has_hashes_and_names_no_place(name: str) -> None:
    lines = [
        line.strip()
        for line in (environment.ROOT / name).read_text().splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    requirements = [line for line in lines if not line.startswith("--hash=sha256:")]
    assert len(requirements) >= 1
    assert [line for line in requirements if "==" not in line or not line.endswith("\\")] == []
    assert [line for line in lines if "://" in line or "index" in line.split()[0]] == []
