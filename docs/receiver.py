"""A merchant's notification address for trying things out: prints what arrives and answers yes.

Run: python3 docs/receiver.py 8200
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(BaseHTTPRequestHandler):
    """Prints each body and answers as the gateway API's documentation asks."""

    def do_POST(self) -> None:
        """Take one notification."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sys.stdout.write(body.decode() + "\n")
        sys.stdout.flush()
        answer = b'{"error_code": "0000"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
