"""The report in a real browser: it sorts, filters, enlarges, asks nobody, and has no faults.

It needs Chromium and its driver (on Debian: `apt-get install chromium chromium-driver`) and the
packages selenium and axe-core-python (`pip install -e '.[dev]'`).
"""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_pages import given
from small_sweep import Trial, attempt, finish, submit

from fairdarts.drawing.cell_drawing import draw
from fairdarts.genotype.published import published
from results.figures.catalog import FIGURES
from results.page.document import report
from results.query.tables import Tables
from results.store.store import Store

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PACKAGES = ("selenium", "axe_core_python")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER and all(map(importlib.util.find_spec, PACKAGES))),
    reason="needs a browser: `apt-get install chromium chromium-driver` (or Chrome with its "
    "driver), and `pip install -e '.[dev]'` for selenium and axe-core-python",
)

HOSTILE = """x"'><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>"""
SWITCHES = (
    "headless",
    "no-sandbox",  # Chromium refuses to be started by root with one.
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
SEARCHES = 5


FEW_FIGURES = 3
"""All of them take too long for every run of the tests."""


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Two methods, and a hostile one that has failed."""
    store = Store.create(tmp_path_factory.mktemp("store"))
    trials = [Trial(name, seed) for name in ("fairdarts", "darts") for seed in range(SEARCHES)]
    failed = Trial(HOSTILE, 0)
    submit(store, "exp", 1, [*trials, failed])
    for place, trial in enumerate(trials):
        finish(store, trial, 90 + place / 8)
    attempt(store, failed.search_key, "search", "failed")
    return Tables(store)


ABOUT = given(
    log=lambda *where: [HOSTILE],
    draw=lambda json_, title: draw(published("FairDARTS_a").genotype, title, "svg"),
)


@pytest.fixture(scope="module")
def page(trials: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    kinds = tuple(FIGURES.values())[:FEW_FIGURES]
    file.write_bytes(report(trials, ABOUT, kinds=kinds))
    return file


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in SWITCHES:
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = Chrome(options, Service(str(DRIVER)))
    yield started
    started.quit()


@pytest.fixture
def opened(browser: Any, page: Path) -> Any:
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(page.as_uri())
    return browser


def column(browser: Any, number: int) -> list[str]:
    """The cells of a column of the table of trials, as they are shown."""
    script = """return [...document.querySelectorAll('.trials tbody:not([hidden])')]
        .map((body) => body.rows[0].cells[arguments[0]].innerText.trim())"""
    return list(browser.execute_script(script, number))


def find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def test_nothing_is_asked_of_the_network_and_nothing_goes_wrong(opened: Any, page: Path) -> None:
    opened.get_log("performance")
    opened.get_log("browser")
    opened.refresh()
    find(opened, "figure button").click()
    messages = [json.loads(one["message"])["message"] for one in opened.get_log("performance")]
    asked = {
        message["params"]["request"]["url"].partition(",")[0]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert page.as_uri() in asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert opened.get_log("browser") == []
    assert opened.title == "exp: report"


def test_hostile_names_are_text(opened: Any) -> None:
    assert HOSTILE in find(opened, ".trials").text
    images = opened.execute_script("return [...document.images].map((image) => image.src)")
    assert all(source.startswith("data:image/") for source in images if source)
    assert opened.execute_script("return document.scripts.length") == 1


def test_a_column_is_sorted_by_its_numbers_and_back(opened: Any) -> None:
    head = find(opened, ".trials th:nth-child(3)")
    head.find_element("css selector", "button").click()
    accuracies = [f"{90 + place / 8:.2f}" for place in range(2 * SEARCHES)]
    assert column(opened, 2) == [*accuracies, "-"]
    assert head.get_attribute("aria-sort") == "ascending"
    head.find_element("css selector", "button").click()
    assert column(opened, 2) == [*reversed(accuracies), "-"]
    assert head.get_attribute("aria-sort") == "descending"


def test_a_filter_leaves_the_trials_that_have_all_words(opened: Any) -> None:
    box = find(opened, "#trials .tools input")
    box.send_keys("FAIR seed=3")
    assert column(opened, 0) == ["fairdarts seed=3"]
    assert find(opened, "#trials .tools [role=status]").text == f"1 of {2 * SEARCHES + 1}"
    box.clear()
    box.send_keys("failed")
    assert column(opened, 1) == ["failed: oom"]


def test_the_attempts_of_a_trial_open_by_a_click_and_by_a_link(opened: Any) -> None:
    body = find(opened, ".trials tbody")
    more = body.find_element("css selector", ".more")
    assert not more.is_displayed()
    body.find_element("css selector", "input").click()
    assert more.is_displayed()
    assert "attempt 1: ok" in more.text
    link = find(opened, ".reason a")
    # Otherwise it may be scrolled below the bar at the top.
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    assert find(opened, "tbody:target .more").is_displayed()


def shown_widths(browser: Any) -> list[int]:
    """Of each image of the page; 0: the browser cannot show it."""
    script = "return [...document.querySelectorAll('figure img')].map((one) => one.naturalWidth)"
    return list(browser.execute_script(script))


def test_pictures_are_there_and_can_be_enlarged(opened: Any) -> None:
    assert len(opened.find_elements("css selector", "#figures figure")) == FEW_FIGURES
    assert len(opened.find_elements("css selector", "#architectures figure")) == 2
    assert min(shown_widths(opened)) > 100
    button = find(opened, "figure").find_element("css selector", "button")
    button.click()
    large = find(opened, "dialog img")
    assert large.is_displayed()
    assert large.size["width"] > button.size["width"]
    find(opened, "dialog button").click()
    assert not large.is_displayed()


@pytest.mark.slow
def test_every_figure_is_there_or_has_a_reason(
    browser: Any, trials: Tables, tmp_path: Path
) -> None:
    file = tmp_path / "all.html"
    file.write_bytes(report(trials, ABOUT))
    browser.get(file.as_uri())
    drawn = browser.find_elements("css selector", "#figures figure")
    reasons = browser.find_elements("css selector", "#figures li")
    assert len(drawn) + len(reasons) == len(FIGURES)
    assert all("draw" in reason.text for reason in reasons)
    assert min(shown_widths(browser)) > 100


def test_a_phone_shows_it_without_scrolling_sideways(opened: Any) -> None:
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize(
    ("scheme", "rules"),
    [
        ("light", {}),
        pytest.param("dark", {"runOnly": ["color-contrast"]}, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_no_serious_fault(opened: Any, scheme: str, rules: dict[str, Any]) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    package = importlib.util.find_spec("axe_core_python")
    assert package is not None
    assert package.origin is not None
    opened.execute_script(Path(package.origin).with_name("axe.min.js").read_text("utf-8"))
    found = opened.execute_async_script("axe.run(arguments[0]).then(arguments[1])", rules)
    faults = [
        (fault["id"], fault["help"], fault["nodes"][0]["html"][:200])
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []


def test_it_can_be_read_without_its_script(browser: Any, page: Path, tmp_path: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page.as_uri())
        assert len(browser.find_elements("css selector", ".trials tbody")) == 2 * SEARCHES + 1
        assert not browser.find_elements("css selector", ".tools, dialog, th button")
        body = find(browser, ".trials tbody")
        body.find_element("css selector", "input").click()
        assert body.find_element("css selector", ".more").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
