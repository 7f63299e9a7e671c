"""One benchmark in a process of its own: `python -m benchmarks.measure NAME --level full --answer FILE`."""

from __future__ import annotations

import argparse
import importlib
import json
import os
from pathlib import Path

from benchmarks import stage


def main() -> None:
    """Load the product as its web process does, measure, and leave the report as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--level", required=True)
    parser.add_argument("--answer", type=Path, required=True)
    arguments = parser.parse_args()
    os.chdir(Path(__file__).resolve().parent.parent)
    importlib.import_module("benchmarks.wsgi")
    benchmark = importlib.import_module(f"benchmarks.{arguments.name}")
    # Only the back office has a level of its own above the full one.
    sizes = benchmark.SIZES.get(arguments.level, benchmark.SIZES["full"])
    report = benchmark.measure(place=stage.from_environment(), sizes=sizes)
    arguments.answer.write_text(json.dumps(report.as_json()))


if __name__ == "__main__":
    main()
