"""Merchants' receivers in a process of their own: some answer at once, one never in time.

`python -m benchmarks.receiver FOLDER HEALTHY HANG_SECONDS` leaves its ports in FOLDER/ports.json, the dead
one last, and writes one line for each notification that a healthy one received: the time and the
order's number.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import time
from pathlib import Path
from typing import TextIO

PORTS = "ports.json"
RECEIVED = "received.log"
_BODY = b'{"error_code":"0000"}'
_ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


async def _healthy(log: TextIO, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = await _read_request(reader)
    received_at = time.time()
    writer.write(_ANSWER)
    await writer.drain()
    writer.close()
    log.write(f"{received_at:.6f} {json.loads(body)['payment_id']}\n")
    log.flush()


async def _dead(hang_seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _read_request(reader)
    await asyncio.sleep(hang_seconds)
    writer.close()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    length = next(int(line.partition(b":")[2]) for line in head if line.startswith(b"content-length:"))
    return await reader.readexactly(length)


async def _listen(folder: Path, healthy_count: int, hang_seconds: float) -> None:
    with (folder / RECEIVED).open("a") as log:
        answers = [functools.partial(_healthy, log)] * healthy_count
        servers = [await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512) for answer in answers]
        dead = functools.partial(_dead, hang_seconds)
        servers.append(await asyncio.start_server(dead, "127.0.0.1", 0, backlog=512))
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        draft = folder / f".{PORTS}"
        draft.write_text(json.dumps(ports))
        draft.rename(folder / PORTS)
        await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    """Listen until ended."""
    asyncio.run(_listen(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))


if __name__ == "__main__":
    main()
