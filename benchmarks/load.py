"""Merchants in a process of their own: signed deposits over kept-alive connections, as fast as answers come.

`python -m benchmarks.load JOB`, a JSON file; the result is left in the file that it names. Requests are
signed before the clock starts, and every answer is read to its end and must say 0000.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from diamondpay.lib import signing

# An address and not a name: no name server is part of what is measured.
NOTIFY_URL = "http://127.0.0.1:9/notify"
PATH = "/gateway/api/v1/payments"
# More than any machine this runs on places; running out of prepared requests ends the run with a fault.
PER_SECOND_MAX = 1500
_FIRST_SECONDS_MAX = 60
_YES = b'"error_code":"0000"'


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A merchant's id and key."""

    platform_id: str
    platform_key: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to send where, how long, and where to leave the result."""

    host: str
    port: int
    callers: tuple[Caller, ...]
    connections: int
    warm_up_seconds: float
    seconds: float
    answer: str


@dataclass(kw_only=True)
class Tally:
    """What came back within the time that counts. Units: latencies in seconds."""

    latencies: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


def signed_body(caller: Caller, *, merchant_order_no: str, moment: int) -> bytes:
    """Return the body of a deposit, as a merchant signs it."""
    params: dict[str, object] = {
        "platform_id": caller.platform_id,
        "service_id": "SVC0001",
        "payment_cl_id": merchant_order_no,
        "amount": 10000,
        "notify_url": NOTIFY_URL,
        "name": "Wang Xiao",
        "number": "6222020200011112222",
        "request_time": moment,
        "sign_type": signing.HMAC_SHA256,
    }
    params["sign"] = signing.sign(params, caller.platform_key, signing.HMAC_SHA256)
    return json.dumps(params).encode()


def _requests(job: Job) -> list[bytes]:
    count = int(PER_SECOND_MAX * (job.warm_up_seconds + job.seconds))
    moment, batch = int(time.time()), secrets.token_hex(5)
    made = []
    for number in range(count):
        caller = job.callers[number % len(job.callers)]
        body = signed_body(caller, merchant_order_no=f"load-{batch}-{number}", moment=moment)
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {job.host}:{job.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def _read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
    return head, await reader.readexactly(length)


async def _one_connection(
    job: Job, waiting: list[bytes], tally: Tally, counts_from: float, *, is_one_only: bool = False
) -> None:
    reader, writer = await asyncio.open_connection(job.host, job.port)
    ends_at = counts_from + job.seconds
    while time.monotonic() < ends_at:
        if not waiting:
            tally.faults["ran out of prepared requests"] += 1
            break
        started = time.monotonic()
        writer.write(waiting.pop())
        head, body = await _read_answer(reader)
        ended = time.monotonic()
        if _YES not in body:
            tally.faults[body.decode(errors="replace")[:200]] += 1
        elif counts_from <= ended < ends_at:
            tally.latencies.append(ended - started)
        if b"\r\nconnection: close" in head.lower():
            writer.close()
            reader, writer = await asyncio.open_connection(job.host, job.port)
        if is_one_only:
            break
    writer.close()


async def _run(job: Job) -> Tally:
    waiting, tally = _requests(job), Tally()
    # A server that has just started answers its first call late; the warm-up begins after that.
    await _one_connection(job, waiting, tally, time.monotonic() + _FIRST_SECONDS_MAX, is_one_only=True)
    counts_from = time.monotonic() + job.warm_up_seconds
    await asyncio.gather(
        *(_one_connection(job, waiting, tally, counts_from) for _connection in range(job.connections))
    )
    return tally


def main() -> None:
    """Do the job of the file named on the command line."""
    found = json.loads(Path(sys.argv[1]).read_text())
    job = Job(**{**found, "callers": tuple(Caller(**caller) for caller in found["callers"])})
    Path(job.answer).write_text(json.dumps(asdict(asyncio.run(_run(job)))))


if __name__ == "__main__":
    main()
