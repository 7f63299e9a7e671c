"""Makes `.venv` hold what the requirement files say. Standard library only: it runs before anything is.

`python3 diamondpay/run/bootstrap.py [--dev]`. When nothing changed since the last time it returns at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PYTHON_MIN = (3, 11)
_NEWER_PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11")


class BootstrapError(Exception):
    """The packages cannot be installed. The text is for the person at the terminal."""


def main(arguments: list[str]) -> int:
    """Install what is missing. Returns the exit code."""
    _use_new_enough_python()
    files = [ROOT / "requirements.txt"]
    if "--dev" in arguments:
        files.append(ROOT / "requirements-dev.txt")
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _install(files)
        except BootstrapError as error:
            print(f"Setting up failed: {error}", file=sys.stderr)
            return 1
    return 0


def fingerprint(files: list[Path]) -> str:
    """Return what the environment depends on: interpreter, place, and every line of the files."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {VENV}".encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _use_new_enough_python() -> None:
    """Go on under a newer Python when this one is too old and a newer one is on the path."""
    if sys.version_info >= PYTHON_MIN:
        return
    for name in _NEWER_PYTHONS:
        path = shutil.which(name)
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            os.execv(path, [path, *sys.argv])
    wanted = ".".join(map(str, PYTHON_MIN))
    sys.exit(f"DiamondPay needs Python {wanted} or newer; this is {sys.version.split()[0]}.")


def _install(files: list[Path]) -> None:
    stamp = VENV / f"installed-{'dev' if len(files) > 1 else 'runtime'}"
    wanted = fingerprint(files)
    if stamp.exists() and stamp.read_text() == wanted and _works():
        return
    if not _works():
        _create()
    print("Installing the packages into .venv (once; from nothing about half a minute) …", flush=True)
    requirements = [part for file in files for part in ("--requirement", str(file))]
    if not (_uv_is_there() and _run([*_uv(), "--require-hashes", *requirements])):
        print("uv is not to be had here; installing with pip instead.", flush=True)
        if not _run([*_pip(), "--require-hashes", *requirements], quiet=False):
            raise BootstrapError("pip could not install the packages; its own words are above.")
    stamp.write_text(wanted)


def _works() -> bool:
    return PYTHON.exists() and _run(
        [str(PYTHON), "-c", "import sys; sys.exit(sys.prefix == sys.base_prefix)"]
    )


def _create() -> None:
    """Make the environment anew. One that was moved or whose Python is gone is beyond repair."""
    shutil.rmtree(VENV, ignore_errors=True)
    print("Creating .venv …", flush=True)
    answer = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if answer.returncode == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if shutil.which("uv") and _run(["uv", "venv", "--seed", "--python", sys.executable, str(VENV)]):
        return
    raise BootstrapError(
        "Python could not create a virtual environment. On Debian and Ubuntu: apt-get install python3-venv.\n"
        + (answer.stdout + answer.stderr).strip()
    )


def _pip() -> list[str]:
    return [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def _uv() -> list[str]:
    return [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON)]


def _uv_is_there() -> bool:
    lock = ROOT / "requirements-uv.txt"
    return _run([*_pip(), "--require-hashes", "--requirement", str(lock)]) and (VENV / "bin" / "uv").exists()


def _run(command: list[str], *, quiet: bool = True) -> bool:
    return subprocess.run(command, capture_output=quiet, cwd=ROOT).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
