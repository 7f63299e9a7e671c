"""Where Chromium is."""

from __future__ import annotations

import os
import shutil

HOW_TO_INSTALL = "Install it with `apt-get install chromium`, or set CHROMIUM to its path."
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    given = os.environ.get("CHROMIUM")
    return given or next(filter(None, map(shutil.which, _NAMES)), None)
