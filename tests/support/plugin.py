"""Loaded by pytest before the settings are (`-p tests.support.plugin` in pyproject.toml).

Gives the run a folder and an environment of its own, so that several runs in one checkout, and a
running instance, never meet; starts and stops the test server; says what was left out.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from diamondpay.run import postgres
from tests.support import browser, runs

_OURS = ("DIAMONDPAY_", "DATABASE_", "CELERY_", "SECRET_KEY")
_left_out: list[str] = []


def _clean_environment() -> None:
    """Let nothing of the caller's shell reach the settings, and give this process a home of its own."""
    for name in [name for name in os.environ if name.startswith(_OURS) and name not in runs.VARIABLES]:
        del os.environ[name]
    folder = runs.current()
    home = folder / "home" / os.environ.get("PYTEST_XDIST_WORKER", "main")
    (home / "static").mkdir(parents=True, exist_ok=True)
    os.environ["DIAMONDPAY_ENV"] = "test"
    os.environ["DIAMONDPAY_HOME"] = str(home)
    os.environ["DIAMONDPAY_LOG_LEVEL"] = "WARNING"
    # How often a busy person's sign-in is written depends on it; tests that count statements must not.
    os.environ["DIAMONDPAY_IDLE_SECONDS"] = "43200"
    os.environ["DJANGO_SETTINGS_MODULE"] = "diamondpay.settings"


_clean_environment()


def _is_ci() -> bool:
    return os.environ.get("CI") == "true"


def is_worker(config: pytest.Config) -> bool:
    """Return whether this process is one of xdist's and not the one that the user started."""
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives a real Chromium")
    config.addinivalue_line(
        "markers", "tampers: damages the book on purpose, so the look at the book after it is left out"
    )
    if _is_ci() and browser.find() is None:
        raise pytest.UsageError(
            f"CI runs the browser tests too, and there is no Chromium. {browser.HOW_TO_INSTALL}"
        )
    if not is_worker(config) and config.getoption("numprocesses", None) and not config.option.collectonly:
        # Workers inherit the address; with no workers the first test that needs the server starts it.
        try:
            runs.start_server()
        except postgres.PostgresError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_unconfigure(config: pytest.Config) -> None:
    if not is_worker(config):
        runs.end()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave browser tests out where there is no Chromium (in CI the run does not get this far)."""
    if browser.find() is not None:
        return
    kept = [item for item in items if item.get_closest_marker("browser") is None]
    gone = [item for item in items if item.get_closest_marker("browser") is not None]
    items[:] = kept
    if gone:
        config.hook.pytest_deselected(items=gone)
        _left_out.extend(item.nodeid for item in gone)
    if is_worker(config):
        config.workeroutput["left_out"] = list(_left_out)  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over from a worker what it left out; every worker leaves out the same."""
    _left_out[:] = getattr(node, "workeroutput", {}).get("left_out", _left_out)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed run."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if is_worker(session.config) or reporter is None or not _is_ci():
        return
    if reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was killed; name what was left out and how to have it next time."""
    _say_what_was_killed(terminalreporter)
    if _is_ci() and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("FAILED: tests were skipped, which CI does not allow.", red=True)
    if _left_out:
        terminalreporter.write_line(
            f"Left out, for want of Chromium: {len(_left_out)} browser tests "
            f"({', '.join(_files_left_out())}). {browser.HOW_TO_INSTALL}",
            yellow=True,
        )


def _say_what_was_killed(terminalreporter: Any) -> None:
    """Count the processes that fault tests killed, and the orders that were lost with them."""
    told = [
        told
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "teardown"
        for told in report.user_properties
    ]
    killed = [value for name, value in told if name == "killed"]
    if killed:
        lost = sum(name == "lost" for name, _value in told)
        terminalreporter.write_line(
            f"Killed {len(killed)} processes with SIGKILL at {len(set(killed))} points; orders lost: {lost}."
        )


def _files_left_out() -> list[str]:
    return sorted({nodeid.partition("::")[0] for nodeid in _left_out})
