"""The page that ``colorize archive`` leaves of its results, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jobs.cli import group
from jobs.exits import TOO_MANY_FAILED, status_of

Shot = Callable[[str], np.ndarray]


@pytest.fixture(scope="module")
def page(
    tmp_path_factory: pytest.TempPathFactory,
    photographs: dict[str, NDArray[np.uint8]],
    driver: Any,  # first: without a browser nothing is colorized for it
) -> Path:
    scans = tmp_path_factory.mktemp("browser") / "scans"
    (scans / "album #1").mkdir(parents=True)
    for number in range(50):
        crop = Image.fromarray(photographs["astronaut"]).convert("L").crop((0, 0, 200 + number, 150))
        crop.save(scans / "album #1" / f"{number:02d} 100%.png")
    Image.fromarray(photographs["rocket"]).convert("L").save(scans / "rocke\u0301t.png")
    Image.fromarray(photographs["coffee"]).save(scans / "in color.png")
    (scans / "<b>broken<b>.jpg").write_bytes(b"\xff\xd8\xff")
    out = scans.parent / "out"
    assert status_of(group, ["archive", str(scans), str(out), "--runner=local"]) == TOO_MANY_FAILED
    return out / "_report" / "index.html"


def texts(opened: Any, css: str) -> list[str]:
    from selenium.webdriver.common.by import By

    return [element.text for element in opened.find_elements(By.CSS_SELECTOR, css)]


def loaded(opened: Any) -> list[str]:
    """Names of the photographs shown, once their pictures are there."""
    from selenium.webdriver.support.ui import WebDriverWait

    script = "return [...document.querySelectorAll('.stage')].every((stage) => stage.children.length === 2)"
    WebDriverWait(opened, 10).until(lambda browser: browser.execute_script(script))
    return [text.split("\n")[0] for text in texts(opened, "#photographs figcaption")]


def chroma(pixels: np.ndarray) -> float:
    return float((pixels.max(axis=-1) - pixels.min(axis=-1)).mean())


@pytest.mark.parametrize("opened", ["phone", "desk"], indirect=True)
def test_it_opens_without_an_error_without_the_network_and_within_the_screen(opened: Any) -> None:
    names = loaded(opened)
    assert len(names) == 48
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = [
        each["message"] for each in opened.get_log("performance") if "Network.requestWillBeSent" in each["message"]
    ]
    assert not [message for message in asked if '"url":"http' in message]
    wide, have = opened.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= have
    assert "51 colorized, 1 skipped, 1 failed" in opened.find_element("tag name", "dl").text


def test_pages_and_back(opened: Any) -> None:
    first = loaded(opened)
    assert first[:3] == ["failed: damaged", "album #1/00 100%.png", "album #1/01 100%.png"]
    assert texts(opened, "#place") == ["53 photographs, page 1 of 2"]
    opened.find_element("id", "next").click()
    assert len(loaded(opened)) == 5
    assert texts(opened, "#place") == ["53 photographs, page 2 of 2"]
    assert not opened.find_element("id", "next").is_enabled()
    opened.find_element("id", "back").click()
    assert loaded(opened) == first


def test_a_click_leads_to_the_photographs_of_a_reason(opened: Any) -> None:
    opened.find_element("css selector", "button[data-reason=damaged]").click()
    assert texts(opened, "#photographs li") == [
        "failed: damaged\n<b>broken<b>.jpg\nbegins like a JPEG file, but what follows cannot be read"
    ]
    opened.find_element("css selector", "button[data-reason=in_color]").click()
    assert [text.split("\n")[1] for text in texts(opened, "#photographs li")] == ["in color.png"]


def test_a_search(opened: Any, picture_of: Shot, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    search = opened.find_element("id", "search")
    search.send_keys("ROCK\xc9T")
    assert loaded(opened) == ["rocke\u0301t.png"]
    slider = opened.find_element("css selector", "figure input[type=range]")
    seen = {}
    for key, side in ((Keys.HOME, "colorized"), (Keys.END, "before")):
        slider.send_keys(key)
        seen[side] = chroma(picture_of(".stage")[:, 8:-8])
    assert seen["before"] < 0.5 < 2 < seen["colorized"]
    opened.save_screenshot(str(tmp_path / "gallery.png"))
    link = opened.find_element("css selector", "figcaption a")
    link.click()
    assert opened.current_url.endswith("/out/rocke%CC%81t.png")
    assert opened.execute_script("return document.images[0].naturalWidth") == 640


def test_links_to_names_that_urls_have_to_escape(opened: Any) -> None:
    opened.find_element("id", "search").send_keys("#1/07")
    loaded(opened)
    opened.find_element("css selector", "figcaption a").click()
    assert opened.execute_script("return document.images[0].naturalWidth") == 207


def numbers_of(opened: Any, word: str) -> list[float]:
    """Returns the number behind a word in each caption of a result, in the order of the page."""
    loaded(opened)
    captions = [text for text in texts(opened, "#photographs figcaption") if word in text]
    return [float(re.split(r"[,\s]", text.split(f"{word} ")[1])[0]) for text in captions]


@pytest.mark.parametrize(
    ("word", "falling", "rising"), [("colorfulness", "most", "least"), ("doubt", "doubt", "certain")]
)
def test_order_by_number(opened: Any, word: str, falling: str, rising: str) -> None:
    from selenium.webdriver.support.ui import Select

    order = Select(opened.find_element("id", "order"))
    order.select_by_value(falling)
    most = numbers_of(opened, word)
    order.select_by_value(rising)
    least = numbers_of(opened, word)
    assert most == sorted(most, reverse=True)
    assert least == sorted(least)
    assert least[0] < most[0]


def test_the_keyboard_reaches_everything(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    opened.find_element("id", "search").send_keys("#1/0")
    assert len(loaded(opened)) == 10
    reached: dict[str, set[str]] = {"a": set(), "input": set(), "select": set(), "button": set(), "body": set()}
    for _ in range(30):
        opened.switch_to.active_element.send_keys(Keys.TAB)
        element = opened.switch_to.active_element
        names = (element.get_attribute(name) for name in ("title", "aria-label", "id"))
        reached[element.tag_name].add(next((name for name in names if name), ""))
    assert len(reached["a"]) == 11  # the results, and the page to look at first
    assert len(reached["input"] - {"search"}) == 10
    assert reached["select"] == {"which", "order"}


def test_the_page_to_look_at_first_begins_with_the_largest_doubt(opened: Any, tmp_path: Path) -> None:
    opened.find_element("link text", "Look at these first").click()
    assert opened.find_element("tag name", "h1").text.startswith("Look at these first")
    doubts = numbers_of(opened, "doubt")
    assert len(doubts) == 48
    assert doubts == sorted(doubts, reverse=True)
    assert texts(opened, "#place") == ["51 photographs, page 1 of 2"]  # results alone
    opened.save_screenshot(str(tmp_path / "first.png"))
    opened.find_element("link text", "All results").click()
    loaded(opened)
    assert texts(opened, "#place") == ["53 photographs, page 1 of 2"]
