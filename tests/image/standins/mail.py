"""Stands in for axllent/mailpit as far as the checks need it: takes letters, lists them as JSON."""

import json
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from aiosmtpd.controller import Controller

LETTERS: list[dict[str, str]] = []


class Catcher:
    """Keeps the subject of each letter."""

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        letter = message_from_bytes(envelope.content, policy=policy.default)
        LETTERS.append({"Subject": str(letter["Subject"])})
        return "250 OK"


class Letters(BaseHTTPRequestHandler):
    """Answers every GET with the letters so far."""

    def do_GET(self) -> None:
        body = json.dumps({"total": len(LETTERS), "messages": LETTERS}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


Controller(Catcher(), hostname="0.0.0.0", port=1025).start()
HTTPServer(("0.0.0.0", 8025), Letters).serve_forever()
