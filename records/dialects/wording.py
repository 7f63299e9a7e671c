"""The words in which an HTTP status is told to people who look at a notification."""

from __future__ import annotations

_STATUS_WORDS = {
    301: "Moved: redirects are not followed",
    302: "Found: redirects are not followed",
    303: "See Other: redirects are not followed",
    307: "Temporary Redirect: redirects are not followed",
    308: "Permanent Redirect: redirects are not followed",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    410: "Gone: the receiver says that this address is no longer used",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def of_status(http_status: int) -> str:
    """Return a status with what it means, such as `HTTP 404 Not Found`."""
    return f"HTTP {http_status} {_STATUS_WORDS.get(http_status, '')}".strip()
