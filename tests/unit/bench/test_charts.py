"""The charts: well-formed, self-contained, and with the figures in words for who sees no picture."""

from typing import Any
from xml.etree import ElementTree as ET

import chart_beside
import chart_soak
import pytest
import soak_stage
from beside_figures import table

SVG = "{http://www.w3.org/2000/svg}"
ABOUT = {"date": "2026-11-24", "machine": {"cores": 2}, "versions": {"envoy": "1.40.0", "nginx": None}}


def case(name: str, branch: str, **more: Any) -> dict[str, Any]:
    figures = {
        "name": name,
        "branch": branch,
        "p50_ms": 0.3,
        "p99_ms": 1.5,
        "p99_spread_ms": [1.0, 2.0],
        "requests": 1000,
        "bad": 0,
        "mirrored_share": None,
        "cpu_us": {"proxy": 90.0},
        "capacity": {"rate": 9000, "p99_ms": 4.0},
        "peak_mib": {"proxy": 66.0},
        "uploads_answered": {"1 MB": 200},
    }
    return figures | more


def beside() -> dict[str, Any]:
    cases = [
        case("no proxy", "", cpu_us={}, peak_mib={}),
        case("nginx, mirror", "hung", bad=990, p50_ms=3000.0, p99_ms=5000.0),
        case("microstax, 100%", "hung", cpu_us={"proxy": 250.0, "worker": 90.0}, mirrored_share=0.114),
    ]
    return {**ABOUT, "rate": 800.0, "rounds": 5, "seconds": 4.0, "uploads": 200, "cases": cases}


def soak(told: list[dict[str, float]]) -> dict[str, Any]:
    memory = {name: [[0.0, 1, 60.0], [30.0, 1, 70.0], [60.0, 2, 50.0]] for name in ("tee", "worker")}
    load = {"answered": 30_000, "failed": 2, "unanswered": 1, "changed": 0}
    kills = [[12.0, "branch"], [40.0, "worker"]]
    return {
        **ABOUT,
        "minutes": 1,
        "rate": 500.0,
        "seed": 1,
        "load": load,
        "told": told,
        "kills": kills,
        "memory_mib": memory,
    }


def told(at_s: float, answered: int, failed: int = 0) -> dict[str, float]:
    return {"at_s": at_s, "answered": answered, "failed": failed, "changed": 0}


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314  # our own text


@pytest.fixture(params=["beside", "soak"])
def picture(request: pytest.FixtureRequest) -> str:
    if request.param == "beside":
        return chart_beside.picture(beside())
    return chart_soak.picture(soak([told(5, 2500), told(10, 4990, 10)]))


def test_a_chart_is_well_formed_and_fetches_nothing(picture: str) -> None:
    root = parsed(picture)
    assert root.tag == f"{SVG}svg"
    assert "prefers-color-scheme: dark" in picture
    assert "href" not in picture
    assert "url(" not in picture
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for one in root.iter(f"{SVG}text"):
        assert 0 <= float(one.get("x", "-1")) <= width
        assert 0 <= float(one.get("y", "-1")) <= height


def test_a_row_that_was_not_answered_says_so_in_picture_and_words() -> None:
    root = parsed(chart_beside.picture(beside()))
    assert "99.0% not answered" in {one.text for one in root.iter(f"{SVG}text")}
    described = root.find(f"{SVG}desc")
    assert described is not None
    assert "nginx, mirror beside a hung branch: p50 3000.0 ms, p99 5000.0 ms, 990 of 1000 not answered" in str(
        described.text
    )


def test_the_table_says_what_was_mirrored_and_why_there_is_no_nginx() -> None:
    lines = list(table(beside()))
    assert any(line.startswith("| microstax, 100% | hung | 11.4% |") for line in lines)
    assert any("MICROSTAX_NGINX" in line for line in lines)
    assert len({line.count("|") for line in lines}) == 1


def test_a_failure_is_a_bar_and_a_restart_a_gap() -> None:
    root = parsed(chart_soak.picture(soak([told(5, 2500), told(10, 4990, 10)])))
    assert [one.text for one in root.iter(f"{SVG}title") if str(one.text).endswith("wrong")] == ["2/s wrong"]
    lives = [one for one in root.iter(f"{SVG}path") if one.get("class") == "line b"]
    assert len(lives) == 2


def test_kills_are_the_same_for_a_seed_and_miss_nobody() -> None:
    plan = soak_stage.kills(300, seed=1)
    assert plan == soak_stage.kills(300, seed=1)
    assert plan != soak_stage.kills(300, seed=2)
    assert {one.who for one in plan} == set(soak_stage.EVERY_S)
    assert all(0 < one.at_s < 300 for one in plan)
    assert "worker" not in {one.who for one in soak_stage.kills(300, seed=1, spared=["worker"])}
