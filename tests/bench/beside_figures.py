"""What bench_beside.py keeps of each contestant, and the table of it in Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(slots=True)
class Case:
    """One contestant beside one kind of branch. `groups` are its processes by what they are."""

    name: str
    branch: str
    port: int
    groups: dict[str, list[int]]
    share: str = ""
    note: str = ""
    fixed: list[dict[str, Any]] = field(default_factory=list)
    closed: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[int, int] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)

    @property
    def mirrors(self) -> bool:
        """Whether it sends copies to the branch."""
        return self.name not in ("no proxy", "plain Envoy", "microstax, off")


def figures(case: Case) -> dict[str, Any]:
    """Return a case's figures: medians of its rounds, with the lowest and the highest."""

    def middle(found: Sequence[dict[str, Any]], name: str) -> float:
        return round(median(one[name] for one in found), 3)

    def spread(found: Sequence[dict[str, Any]], name: str) -> list[float]:
        values = [one[name] for one in found]
        return [round(min(values), 3), round(max(values), 3)]

    def bad(found: Sequence[dict[str, Any]]) -> int:
        return sum(one["failed"] + one["changed"] + one["unanswered"] for one in found)

    due = sum(one["due"] for one in case.fixed)
    shares = [one["mirrored"] / one["sent"] for one in case.fixed if "mirrored" in one]
    return {
        "name": case.name,
        "branch": case.branch,
        "p50_ms": middle(case.fixed, "p50_ms"),
        "p99_ms": middle(case.fixed, "p99_ms"),
        "p50_spread_ms": spread(case.fixed, "p50_ms"),
        "p99_spread_ms": spread(case.fixed, "p99_ms"),
        "requests": due,
        "bad": bad(case.fixed),
        "changed": sum(one["changed"] for one in [*case.fixed, *case.closed]),
        "mirrored_share": round(median(shares), 4) if shares else None,
        "cpu_us": {group: round(median(one["cpu_us"][group] for one in case.fixed), 1) for group in case.groups},
        "capacity": {
            "rate": round(median(one["rate"] for one in case.closed)),
            "rate_spread": [round(value) for value in spread(case.closed, "rate")],
            "p50_ms": middle(case.closed, "p50_ms"),
            "p99_ms": middle(case.closed, "p99_ms"),
            "bad": bad(case.closed),
        },
        "peak_mib": {group: round(size / 2**20, 1) for group, size in case.peak.items()},
        "uploads_answered": {f"{size} MB": answered for size, answered in case.uploads.items()},
    }


def _share(case: dict[str, Any]) -> str:
    """Return the share of requests that was mirrored at the fixed rate: what was asked for, or what was left of it."""
    if not case["branch"]:
        return "0"
    return "all" if case["mirrored_share"] is None else f"{case['mirrored_share']:.1%}"


def table(found: dict[str, Any]) -> Iterator[str]:
    """Yield the table in Markdown, as README.md shows it."""
    sizes = " and ".join(found["cases"][0]["uploads_answered"])
    heads = (
        f"{found['rate']:,.0f} requests/s",
        "branch",
        "mirrored",
        "p50 ms",
        "p99 ms",
        "not answered",
        "CPU us a request",
        "of it ours beside Envoy",
        "peak MiB",
        "at capacity: requests/s",
        "p99 ms",
        f"uploads answered of {found['uploads']}, {sizes}",
    )
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for case in found["cases"]:
        cpu, peak, most = case["cpu_us"], case["peak_mib"], case["capacity"]
        beside = [f"{name} {cpu[name]:.0f}" for name in ("worker", "control plane") if name in cpu]
        uploads = case["uploads_answered"]
        cells = (
            case["name"],
            case["branch"] or "none",
            _share(case),
            f"{case['p50_ms']:.2f}",
            f"{case['p99_ms']:.2f}",
            f"{case['bad'] / max(1, case['requests']):.1%}" if case["bad"] else "0",
            f"{sum(cpu.values()):.0f}" if cpu else "",
            ", ".join(beside),
            ", ".join(f"{name} {size:.0f}" if name != "proxy" else f"{size:.0f}" for name, size in peak.items()),
            f"{most['rate']:,}",
            f"{most['p99_ms']:.1f}",
            ", ".join(map(str, uploads.values())),
        )
        yield f"| {' | '.join(cells)} |"
    if not found["versions"]["nginx"]:
        why = "no nginx here: name one in MICROSTAX_NGINX, or `apt-get install nginx-light`"
        yield f"| nginx, mirror | {why}" + " | " * (len(heads) - 2) + "|"
