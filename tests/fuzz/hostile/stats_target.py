"""An Envoy's answers: statistics as JSON, and whatever its admin socket says in HTTP/1.1."""

import json
from collections.abc import Iterator
from typing import Final

from hostile.choices import Choices
from hostile.messages import spoil
from hostile.target import Target
from hostile.world import a_state
from microstax.capture.pipelined import BrokenAnswerError, PipelinedClient
from microstax.control import counters
from microstax.envoy.memory import read_memory
from microstax.envoy.stats import read_counters
from microstax.envoy.stats_text import parse_stats

_NAMES: Final = (
    "server.uptime", "cluster.copy/catalog/branch/branch.upstream_rq_total",
    "cluster.copy/catalog/branch/branch.upstream_rq_pending_overflow",
    "cluster.copy/catalog/control/branch.upstream_rq_active",
    "cluster.copy/catalog/nowhere/branch.upstream_rq_total",
    "cluster.branch/catalog/branch/branch/h2.upstream_rq_timeout",
    "cluster.branch/catalog/branch/branch/h1.upstream_rq_pending_overflow",
    "vhost.tee/catalog.route.skipped/size.upstream_rq_total",
    "vhost.tee/catalog.route.skipped/method/POST.upstream_rq_total",
    "vhost.tee/catalog.route.skipped/other.upstream_rq_total",
    "cluster.bridge/pricing.upstream_rq_total", "http.bridge/pricing.rbac.policy.POST.denied",
    "http.bridge/pricing.downstream_rq_ws_on_non_ws_route", "",
)  # fmt: skip
_VALUES: Final = (
    "0",
    "1",
    "17",
    "-1",
    "1e3",
    "1.5",
    "null",
    '"7"',
    "[]",
    "{}",
    "true",
    "NaN",
    "9" * 30,
    "9007199254740993",
)
_ANSWERS: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nno", b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nabc",
    b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
    b"HTTP/1.1 101 U\r\n\r\n",
)  # fmt: skip
_STATE: Final = a_state()


def check(data: bytes) -> None:
    """Read statistics and answers: they are read, or refused by the one error that says so."""
    choices = Choices(data)
    match choices.number(0, 3):
        case 0:
            _check_stats(choices.rest())
        case 1 | 2:
            _check_stats(spoil(_stats(choices), choices))
        case _:
            _check_answers(choices)


def _check_stats(answer: bytes) -> None:
    assert read_memory(answer) >= 0, "memory below 0"
    try:
        values = parse_stats(answer)
    except ValueError:
        return
    read_counters(values)
    for node in ("tee~prod", "bridge~branch", "other"):
        for reading in counters.readings(_STATE, node=node, epoch="1", values=values):
            assert reading.value >= 0, "a counter below 0"


def _check_answers(choices: Choices) -> None:
    client = PipelinedClient()
    for _ in range(choices.number(1, 3)):
        client.post("/tap", b"{}")
    stream = b"".join(choices.pick(_ANSWERS) for _ in range(choices.number(0, 4))) + choices.data(64)
    stream = spoil(stream, choices)
    piece = choices.pick((len(stream) or 1, 5))
    waiting = client.waiting
    try:
        for at in range(0, len(stream), piece):
            client.receive(stream[at : at + piece])
            assert client.waiting <= waiting, "an answer opens a request"
    except BrokenAnswerError:
        return


def _stats(choices: Choices) -> bytes:
    entries = []
    for _ in range(choices.number(0, 8)):
        name = json.dumps(choices.pick(_NAMES) if choices.number(0, 7) else choices.text(30))
        entry = choices.pick(
            (f'{{"name":{name},"value":{choices.pick(_VALUES)}}}', f'{{"name":{name}}}', choices.pick(_VALUES))
        )
        entries.append(entry if choices.number(0, 7) else '{"histograms":{"supported_quantiles":[50]}}')
    inner = f"[{','.join(entries)}]" if choices.number(0, 15) else choices.pick(_VALUES)
    return f'{{"stats":{inner}}}'.encode("utf-8", "replace")


def seeds() -> Iterator[bytes]:
    """Give an answer with all statistics, odd ones, and answers in HTTP."""
    entries = [{"name": name, "value": number} for number, name in enumerate(_NAMES)]
    yield b"\0" + json.dumps({"stats": entries}).encode()
    yield b'\0{"stats": [1, {"name": 1, "value": 1}, {"name": "a", "value": 1e99}]}'
    yield b'\0[{"stats": []}]'
    yield b'\0{"allocated": "1", "total_physical_bytes": "12582912"}'
    yield b"\0[" * 2 + b"[" * 200
    for step in (1, 3, 7, 11, 13, 17):
        yield bytes([1 + step % 3]) + bytes(number * step % 256 for number in range(64))


TARGET: Final = Target(check=check, seeds=seeds, tokens=tuple(name.encode() for name in _NAMES if name), longest=1024)
