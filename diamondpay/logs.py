"""One JSON object per log line, with what must never be written left out.

Nothing of ours logs a secret on purpose; this is the net below it. Libraries log addresses with their
query, and a traceback repeats what the exception was given.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
from typing import Any

# Long digit runs are card and identity numbers and phones; the words before = or : announce a secret.
_LONG_NUMBER = re.compile(r"(?<![\w.-])\+?\d{11,19}(?![\w.-])")
_NAMED_SECRET = re.compile(
    r"(?i)\b([\w-]*(?:password|secret|token|authorization|platform_key|api_key|private_key|signature|sign))"
    r"([\"']?\s*[=:]\s*[\"']?)(?:(?:bearer|basic)\s+)?[^\s\"'&,;]+"
)
_ADDRESS_PASSWORD = re.compile(r"(?<=://)([^/\s:@]+):[^/\s@]+@")


def redact(text: str) -> str:
    """Return the text with card-like numbers, named secrets and passwords in addresses covered."""
    text = _ADDRESS_PASSWORD.sub(r"\1:***@", text)
    text = _NAMED_SECRET.sub(r"\1\2***", text)
    return _LONG_NUMBER.sub(lambda found: "***" + found[0][-4:], text)


def configuration(level: str) -> dict[str, Any]:
    """Return what Django is told of logging: everything of a level and above, on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "diamondpay.logs.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {
            "handlers": ["stderr"],
            "level": level,
        },
        "loggers": {
            "django": {"level": "INFO"},
            "django.server": {"handlers": ["stderr"], "propagate": False},
            # Both write the arguments of what they do, which may hold what must not be logged.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            # It tells of every connection that a request borrows and gives back.
            "psycopg.pool": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON. `extra={"fields": {…}}` adds fields of one's own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, redacted."""
        entry: dict[str, object] = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            entry.update({str(name): _plain(value) for name, value in fields.items()})
        if record.exc_info:
            entry["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))
