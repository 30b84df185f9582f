"""The HTML report in a real browser: offline, by keyboard, light and dark, on a narrow screen, with hostile values."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_documents as documents
import report_pairs

from microstax.model.exchange import Side
from microstax.report.pair import ComparedPair
from microstax.report.render import render

if not os.environ.get("MICROSTAX_CHROMIUM"):
    pytest.skip("no Chromium: set MICROSTAX_CHROMIUM, or install the package chromium", allow_module_level=True)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
ATTACK = "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>\"'{{7*7}}"
Opened = Callable[..., Awaitable[None]]


@pytest.fixture
def opened(page: Any, tmp_path: Path) -> Opened:
    """Open a document as a file in the page."""

    async def load(document: Any, *, pairs: Any = None, hash_: str = "") -> None:
        file = tmp_path / "report.html"
        file.write_text(render(document, "html", pairs=pairs))
        await page.open(f"file://{file}{hash_}")

    return load


async def count(page: Any) -> str:
    return str(await page.run("document.querySelector('#count').textContent"))


async def shown(page: Any) -> list[str]:
    """Return the findings that pass the filter, as `verdict kind`."""
    found = await page.run(
        "[...document.querySelectorAll('.finding')].filter(f => !f.hidden && !f.closest('.endpoint').hidden)"
        ".map(f => `${f.dataset.verdict} ${f.dataset.kind}`)"
    )
    return list(found)


async def focused(page: Any) -> str:
    return str(
        await page.run("document.activeElement.id || document.activeElement.name || document.activeElement.localName")
    )


async def typed(page: Any, text: str) -> None:
    for char in text:
        await page.press(char)


async def test_it_opens_offline_without_an_error_and_asks_nobody(page: Any, opened: Opened) -> None:
    await opened(documents.full(), pairs=report_pairs.pairs())
    assert await page.run("document.readyState") == "complete"
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith("file://")] == []
    assert len(page.requests) == 1
    assert await count(page) == "13 of 13 findings in 4 of 4 endpoints"


async def test_its_policy_runs_no_other_script_and_no_handler(page: Any, opened: Opened) -> None:
    await opened(documents.full())
    await page.run(
        "(() => {"
        " const script = document.createElement('script');"
        " script.textContent = 'window.foreign = 1';"
        " document.body.append(script);"
        " document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.foreign = 2\">');"
        " })()"
    )
    assert await page.run("new Promise(done => setTimeout(() => done(window.foreign ?? 0), 100))") == 0
    assert any("Content Security Policy" in problem for problem in page.problems)


async def test_hostile_values_are_shown_and_not_run(page: Any, opened: Opened) -> None:
    await opened(documents.with_text(ATTACK), pairs={ATTACK: hostile()})
    assert page.problems == []
    assert len(page.requests) == 1
    assert "owned" in await page.run("document.title")  # as text, beside the rest of it
    assert await page.run("document.title.includes('against')")
    assert await page.run("document.images.length") == 0
    assert await page.run("document.scripts.length") == 1
    assert ATTACK in await page.run("document.querySelector('.finding h4 code').textContent")
    assert ATTACK in await page.run("document.querySelector('.pair .sides').textContent")


def hostile() -> ComparedPair:
    branch = report_pairs.exchange(Side.BRANCH, ATTACK.encode(), headers=(("x-note", ATTACK),))
    branch = replace(branch, request=replace(branch.request, path=f"/{ATTACK}"))
    return report_pairs.compared(ATTACK, branch)


async def test_filters_by_keyboard(page: Any, opened: Opened) -> None:
    await opened(documents.full())
    await page.press("/")
    assert await focused(page) == "q"
    await typed(page, "price")
    assert await shown(page) == ["different type"]
    assert await count(page) == "1 of 13 findings in 1 of 4 endpoints"
    assert await page.run("location.hash") == "#q=price"
    await page.press("Escape")
    assert await focused(page) == "body"
    await page.press("Escape")
    await page.until("location.hash === ''")
    assert await count(page) == "13 of 13 findings in 4 of 4 endpoints"


async def test_each_filter(page: Any, opened: Opened) -> None:
    await opened(documents.full())
    await page.press("n")
    assert "noise" not in {line.split()[0] for line in await shown(page)}
    assert await page.run("location.hash") == "#quiet=1"
    await page.press("n")
    # Tab from the text field to the first verdict, and choose it with the space bar.
    await page.press("/")
    await page.press("Tab")
    assert await focused(page) == "verdict"
    await page.press(" ")
    assert {line.split()[0] for line in await shown(page)} == {"different"}
    await opened(documents.full(), hash_="#verdict=undecided&verdict=slower")
    assert sorted(await shown(page)) == ["slower latency", "undecided grpc status", "undecided missing"]
    await opened(documents.full(), hash_="#service=search")
    assert await shown(page) == ["different length", "not comparable value"]
    assert await count(page) == "2 of 13 findings in 1 of 4 endpoints"
    await opened(documents.full(), hash_="#kind=latency")
    assert await shown(page) == ["slower latency"]
    await opened(documents.full(), hash_="#q=nothing-has-this")
    assert await page.run("!document.querySelector('#none').hidden")
    assert page.problems == []


async def test_a_changed_address_changes_the_filters(page: Any, opened: Opened) -> None:
    await opened(documents.full())
    await page.run("location.hash = 'kind=type'")
    await page.until("document.querySelector('#count').textContent.startsWith('1 of')")
    assert await shown(page) == ["different type"]
    assert await page.run("document.querySelector('[name=kind]').value") == "type"
    await page.run("location.hash = 'kind=no-such-kind'")
    await page.until("document.querySelector('#count').textContent.startsWith('13 of 13')")


async def test_from_finding_to_finding(page: Any, opened: Opened) -> None:
    await opened(documents.full(), pairs=report_pairs.pairs())
    await page.press("j")
    assert await focused(page) == "f1"
    await page.press("j")
    await page.press("ArrowDown")
    assert await focused(page) == "f3"
    await page.press("k")
    assert await focused(page) == "f2"
    assert await page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert not await page.run("document.activeElement.closest('.group').querySelector('.pair').open")
    await page.press("Enter")
    assert await page.run("document.activeElement.closest('.group').querySelector('.pair').open")
    box = await page.run("(r => [r.top, r.bottom])(document.activeElement.getBoundingClientRect())")
    assert 0 <= box[0] <= box[1] <= 900


async def test_every_control_is_reached_by_tab_in_the_order_of_the_page(page: Any, opened: Opened) -> None:
    await opened(documents.full(), pairs=report_pairs.pairs())
    order = []
    for _ in range(16):
        await page.press("Tab")
        order.append(await focused(page))
        assert await page.run("getComputedStyle(document.activeElement).outlineStyle !== 'none'"), order
    assert order == [
        *("a", "theme", "help-open", "q"),
        *["verdict"] * 5,
        *("service", "kind", "quiet", "button", "all", "summary", "summary"),
    ]
    assert await page.run("[...document.querySelectorAll('[tabindex]')].every(node => node.tabIndex <= 0)")


async def test_help_opens_and_closes(page: Any, opened: Opened) -> None:
    await opened(documents.full())
    await page.press("?")
    assert await page.run("document.querySelector('#help').open")
    await page.press("j")
    assert await page.run("document.querySelector('#help').contains(document.activeElement)")
    await page.press("Escape")
    assert not await page.run("document.querySelector('#help').open")


async def test_dark_and_light_by_the_system_and_by_the_button(page: Any, opened: Opened) -> None:
    await opened(documents.full())

    async def brightness() -> float:
        script = "getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)"
        return float(sum(await page.run(script)) / 3)

    await page.prefer("dark")
    assert await brightness() < 60
    await page.prefer("light")
    assert await brightness() > 200
    await page.press("t")  # light, whatever the system says
    await page.prefer("dark")
    assert await brightness() > 200
    await page.press("t")  # dark
    await page.prefer("light")
    assert await brightness() < 60
    await page.press("t")
    assert await brightness() > 200


CONTRAST = """
(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => rgb.slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (node) => {
    for (let outer = node; outer; outer = outer.parentElement) {
      const color = rgba(getComputedStyle(outer).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *:not(script):not(svg):not(svg *)")]
    .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
    .filter((node) => node.checkVisibility());
  return texts.map((node) => {
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
    return { ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), what: node.outerHTML.slice(0, 90) };
  }).filter((found) => found.ratio < 4.5);
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_has_the_contrast_of_wcag_aa(page: Any, opened: Opened, scheme: str) -> None:
    await page.prefer(scheme)
    await opened(documents.full(), pairs=report_pairs.pairs())
    await page.run("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    assert await page.run("document.querySelectorAll('mark').length") > 5
    assert await page.run(CONTRAST) == []


async def test_plots_have_a_size_and_words(page: Any, opened: Opened) -> None:
    await opened(documents.full())
    sizes = await page.run(
        "[...document.querySelectorAll('svg.plot')].filter(plot => plot.checkVisibility())"
        ".map(plot => (box => [box.width, box.height])(plot.getBoundingClientRect()))"
    )
    assert len(sizes) == 2
    assert all(width > 250 and height > 120 for width, height in sizes)
    tree = await page.call("Accessibility.getFullAXTree")
    images = [node for node in tree["nodes"] if node.get("role", {}).get("value") in {"img", "image"}]
    described = [node["description"]["value"] for node in images if node.get("description")]
    assert any("branch p50 3.20, p90 5.50, p99 310 ms" in text for text in described)


@pytest.mark.parametrize("width", [320, 400, 768, 1280])
async def test_nothing_is_wider_than_the_window(page: Any, opened: Opened, width: int) -> None:
    await page.resize(width)
    await opened(documents.full(), pairs=report_pairs.pairs())
    await page.run("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    assert await page.run("document.documentElement.scrollWidth") <= width
    await page.press("?")
    assert await page.run("document.querySelector('#help').getBoundingClientRect().width") <= width


async def test_landmarks(page: Any, opened: Opened) -> None:
    await opened(documents.full())
    tree = await page.call("Accessibility.getFullAXTree")
    roles = {node.get("role", {}).get("value") for node in tree["nodes"]}
    assert {"banner", "main", "search", "heading", "status"} <= roles
    assert await page.run("document.querySelector('#count').getAttribute('aria-live')") == "polite"


async def test_everything_is_there_without_scripts(page: Any, opened: Opened) -> None:
    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await opened(documents.full(), pairs=report_pairs.pairs())
    await page.call("Emulation.setScriptExecutionDisabled", value=False)
    visible = (
        "[...document.querySelectorAll('.finding')].filter(node => !node.closest('.noise') && node.checkVisibility())"
    )
    assert await page.run(f"{visible}.length") == 10
    assert not await page.run("document.querySelector('#filters').checkVisibility()")
    assert not await page.run("document.querySelector('.tools').checkVisibility()")


async def test_two_thousand_findings_stay_usable(page: Any, opened: Opened) -> None:
    await opened(documents.many(2000))
    assert await count(page) == "2,000 of 2,000 findings in 100 of 100 endpoints"
    await page.press("/")
    await typed(page, "member_1999")
    assert await count(page) == "1 of 2,000 findings in 1 of 100 endpoints"
    await page.press("Escape")
    await page.press("j")
    assert await page.run("document.activeElement.textContent.includes('member_1999')")
    assert page.problems == []
