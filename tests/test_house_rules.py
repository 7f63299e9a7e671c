"""The rules of the house that no linter knows: sizes, imports, and tests that prove something."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from diamondpay import environment

ROOT = environment.ROOT
ROOMS = ("diamondpay", "channels", "merchants", "records", "operations", "tests", "benchmarks", "clients")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
TEST_LINES_MAX = 40
# What a test may say instead of `assert` and still fail when the product does.
_PROOFS = ("pytest.raises", "pytest.fail", "run_state_machine_as_test", ".until")


@functools.cache
def _sources() -> tuple[Path, ...]:
    found = [ROOT / "manage.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
    return tuple(path for path in found if "migrations" not in path.parts)


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(_tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_files_have_at_most_400_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in _sources()}
    found = [_place(path, length) for path, length in lengths.items() if length > FILE_LINES_MAX]
    assert not found, "\n".join(found)


def test_functions_have_at_most_60_lines() -> None:
    found = [
        f"{_place(path, function.lineno)} {function.name} {_lines(function)}"
        for path in _sources()
        for function in _functions(path)
        if _lines(function) > FUNCTION_LINES_MAX
    ]
    assert not found, "\n".join(found)


def test_nothing_is_imported_inside_a_function() -> None:
    found = [
        _place(path, inner.lineno)
        for path in _sources()
        for function in _functions(path)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert not found, "\n".join(found)


def _test_functions() -> list[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    files = [path for path in _sources() if path.name.startswith("test_") and "tests" in path.parts]
    return [(path, f) for path in files for f in _functions(path) if f.name.startswith("test_")]


def test_tests_have_at_most_40_lines() -> None:
    found = [_place(path, f.lineno) for path, f in _test_functions() if _lines(f) > TEST_LINES_MAX]
    assert not found, "\n".join(found)


def _proving_helpers() -> frozenset[str]:
    """Return the names of functions in the tests' own modules that assert something themselves."""
    names = {
        function.name
        for path in _sources()
        if "tests" in path.parts
        for function in _functions(path)
        if any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(function))
    }
    return frozenset(name for name in names if not name.startswith("test_"))


def _proves(function: ast.AST, helpers: frozenset[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.endswith(_PROOFS) or called.rpartition(".")[2] in helpers:
                return True
    return False


def test_every_test_proves_something() -> None:
    helpers = _proving_helpers()
    found = [f"{_place(path, f.lineno)} {f.name}" for path, f in _test_functions() if not _proves(f, helpers)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"])
def test_nothing_is_left_for_later(word: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in _sources() if word in path.read_text()]
    assert not found, "\n".join(found)
