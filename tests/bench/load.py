"""A load client that records every response: open loop, fixed rate, keep-alive HTTP/1.1.

Open loop: a request is due at its time whether or not earlier ones were answered, and its latency counts from that
time. A server that stalls therefore shows in every request that had to wait (no coordinated omission).

As a program, beside what it measures: `python tests/bench/load.py --rate 300 --seconds 10 http://127.0.0.1:8080/a`
prints a summary as JSON.
"""

import argparse
import asyncio
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send."""

    url: str
    method: str = "GET"
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came; no status means no answer. `due_s` is seconds since the start, `took_s` from then to the last byte."""

    request: Request
    due_s: float
    took_s: float
    status: int | None = None
    digest: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """Every response, in the order in which the requests were due."""

    responses: tuple[Response, ...]

    def failed(self) -> list[Response]:
        """Return what got no answer, or one of 500 and above."""
        return [each for each in self.responses if each.status is None or each.status >= 500]

    def latency_ms(self, quantile: float) -> float:
        """Return a quantile (0..1, in steps of a thousandth) of all latencies in milliseconds."""
        cuts = quantiles([each.took_s * 1000 for each in self.responses], n=1000, method="inclusive")
        return cuts[round(quantile * 1000) - 1]

    def digests(self) -> Counter[tuple[str, int | None, str]]:
        """Return how often each answer came: by url, status and hash of the body."""
        return Counter((each.request.url, each.status, each.digest) for each in self.responses)

    def summary(self) -> dict[str, float | int]:
        """Return the figures that one reads first."""
        figures = {f"p{round(q * 1000) / 10:g}_ms": round(self.latency_ms(q), 2) for q in (0.5, 0.9, 0.99)}
        return {"requests": len(self.responses), "failed": len(self.failed()), **figures}


async def record(
    requests: Sequence[Request], *, rate: float, seconds: float, connections: int = 64, timeout_s: float = 30.0
) -> Recording:
    """Send `rate` requests a second for `seconds`, going round `requests`; return every response."""
    loop = asyncio.get_running_loop()
    connector = TCPConnector(limit=connections)
    async with (
        ClientSession(connector=connector, timeout=ClientTimeout(total=timeout_s), auto_decompress=False) as session,
        asyncio.TaskGroup() as group,
    ):
        started = loop.time()
        tasks: list[asyncio.Task[Response]] = []
        for nth in range(round(rate * seconds)):
            due = started + nth / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            request = requests[nth % len(requests)]
            tasks.append(group.create_task(_send(session, request, due=due, started=started)))
    return Recording(tuple(task.result() for task in tasks))


async def _send(session: ClientSession, request: Request, *, due: float, started: float) -> Response:
    loop = asyncio.get_running_loop()
    status, digest, error = None, "", ""
    try:
        async with session.request(request.method, request.url, data=request.body) as response:
            status, digest = response.status, hashlib.sha256(await response.read()).hexdigest()
    except (ClientError, OSError, TimeoutError) as failure:
        error = repr(failure)
    return Response(
        request=request, due_s=due - started, took_s=loop.time() - due, status=status, digest=digest, error=error
    )


def main(arguments: Sequence[str]) -> int:
    """Measure once and print the summary."""
    parser = argparse.ArgumentParser(description="Send requests at a fixed rate and print how it went.")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long (default %(default)s)")
    chosen = parser.parse_args(arguments)
    requests = [Request(url=url) for url in chosen.urls]
    print(json.dumps(asyncio.run(record(requests, rate=chosen.rate, seconds=chosen.seconds)).summary()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
