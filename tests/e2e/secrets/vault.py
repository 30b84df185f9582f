"""A service that answers with planted secrets: `python vault.py VERSION CANARIES.json`, says nothing itself.

Version 2 answers with other values everywhere, so that all of it is told as differences, and calls `pricing` with
secrets, which the bridge refuses. CANARIES.json maps names to values.
"""

import gzip
import json
import os
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION, FILE = sys.argv[1:3]
with open(FILE) as opened:  # noqa: PTH123  # a program of its own
    CANARIES: dict[str, str] = json.load(opened)
NEW = VERSION == "v2"


def secret(name: str) -> str:
    """Return a canary; version 2 has it with an end of its own."""
    return CANARIES[name] + ("new" if NEW else "")


def escaped(text: str) -> str:
    """Write a text in JSON escapes."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def document(name: str) -> dict[str, Any]:
    """Return an answer with a secret at each kind of place."""
    return {
        "user": {"email": secret(name), "name": CANARIES["control"]},
        "items": [{"card": secret(f"{name}-card")}],
        "note": f"pin pw-{secret(f'{name}-pattern')} of yours",
        "price": "12" if NEW else 12,
    }


class Vault(BaseHTTPRequestHandler):
    """Answers by the first part of the path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:  # noqa: N802  # the library's name
        """Answer."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        kind = self.path.split("?")[0].split("/")[1]
        getattr(self, f"answer_{kind}")()

    do_POST = do_GET  # noqa: N815  # the library's name

    def answer_json(self) -> None:
        """Answer with JSON; version 2 asks `pricing` for what it may not."""
        if NEW:
            call_pricing()
        self.send(json.dumps(document("answer")).encode())

    def answer_gzip(self) -> None:
        """Answer with JSON, compressed."""
        self.send(gzip.compress(json.dumps(document("gzip")).encode()), encoding="gzip")

    def answer_notgzip(self) -> None:
        """Call compressed what is not."""
        self.send(json.dumps(document("notgzip")).encode(), encoding="gzip")

    def answer_escaped(self) -> None:
        """Answer with JSON in which the secret is written in escapes."""
        note = escaped(f"pw-{secret('escaped-pattern')}")
        email = escaped(secret("escaped"))
        self.send(f'{{"user": {{"email": "{email}"}}, "note": "{note}", "n": {1 + NEW}}}'.encode())

    def answer_utf16(self) -> None:
        """Answer with JSON in UTF-16."""
        self.send(json.dumps(document("utf16")).encode("utf-16"), kind="application/json; charset=utf-16")

    def answer_malformed(self) -> None:
        """Answer with what is called JSON and is none."""
        self.send(json.dumps(document("malformed")).encode()[:-1] + b",")

    def answer_lines(self) -> None:
        """Answer with a document a line."""
        line = json.dumps(document("lines")).encode() + b"\n"
        self.send(line + line, kind="application/x-ndjson")

    def answer_long(self) -> None:
        """Answer with more than is kept."""
        self.send(json.dumps({**document("long"), "rest": "x" * 20_000, "user2": document("long")}).encode())

    def answer_moved(self) -> None:
        """Answer with a secret in the place to go to."""
        self.send(b"", status=302, headers={"location": f"/json?token={secret('location')}"})

    def answer_error(self) -> None:
        """Fail in version 2, with the secret in the message."""
        if NEW:
            self.send(f"login with pw-{secret('error')} failed".encode(), status=500, kind="text/plain")
        else:
            self.send(json.dumps(document("answer")).encode())

    def answer_trace(self) -> None:
        """Fail in version 2, with JSON that is called text."""
        status = 500 if NEW else 200
        self.send(json.dumps(document("trace")).encode(), status=status, kind="text/plain")

    def answer_broken(self) -> None:
        """Break off in version 2."""
        self.send(json.dumps(document("broken")).encode(), missing=500 * NEW)

    def answer_gone(self) -> None:
        """Hang up in version 2, without an answer."""
        if NEW:
            self.close_connection = True
        else:
            self.send(json.dumps(document("answer")).encode())

    def answer_form(self) -> None:
        """Answer to a form with a form."""
        body = f"token={secret('answerform')}&n={1 + NEW}".encode()
        self.send(body, kind="application/x-www-form-urlencoded")

    answer_orders = answer_upload = answer_json
    answer_charge = answer_json

    def send(
        self,
        body: bytes,
        *,
        status: int = 200,
        kind: str = "application/json",
        encoding: str = "",
        headers: dict[str, str] | None = None,
        missing: int = 0,
    ) -> None:
        """Send a response with secrets in its headers; `missing` bytes are promised and do not come."""
        self.send_response(status)
        self.send_header("content-type", kind)
        if encoding:
            self.send_header("content-encoding", encoding)
        self.send_header("set-cookie", f"sid={secret('setcookie')}; Path=/; HttpOnly")
        self.send_header("x-session", secret("answersession"))
        self.send_header("x-note", f"pw-{secret('answerheader')}")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) + missing))
        self.end_headers()
        self.wfile.write(body)
        if missing:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing: the logs of services are not what is looked at."""


def call_pricing() -> None:
    """Make a call that the bridge refuses, full of secrets."""
    at = f"http://{os.environ['PRICING_SERVICE_HOST']}:{os.environ['PRICING_SERVICE_PORT']}"
    request = urllib.request.Request(
        f"{at}/charge?token={CANARIES['bridge-query']}&note=pw-{CANARIES['bridge-pattern']}",
        data=json.dumps({"user": {"email": CANARIES["bridge-body"]}}).encode(),
        headers={
            "authorization": f"Bearer {CANARIES['bridge-authorization']}",
            "cookie": f"sid={CANARIES['bridge-cookie']}",
            "user-agent": f"vault pw-{CANARIES['bridge-agent']}",
            "x-session": CANARIES["bridge-session"],
        },
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except urllib.error.HTTPError as refused:
        refused.close()


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Vault).serve_forever()
