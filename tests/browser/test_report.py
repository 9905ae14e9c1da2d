"""The report of ``colorize evaluate`` in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.cli import group
from jobs.exits import DONE, status_of

Shot = Callable[[str], np.ndarray]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, color_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("browser") / "report"
    assert (
        status_of(group, ["evaluate", "default", f"folder:{color_dir}", str(folder), "--split=test", "--runner=local"])
        == DONE
    )
    return folder / "report.html"


def chroma(pixels: np.ndarray) -> float:
    return float((pixels.max(axis=-1) - pixels.min(axis=-1)).mean())


def test_it_opens_without_an_error_and_without_the_network(opened: Any) -> None:
    assert "colorizes" in opened.title
    assert opened.get_log("browser") == []
    asked = [
        entry["message"] for entry in opened.get_log("performance") if "Network.requestWillBeSent" in entry["message"]
    ]
    assert asked
    assert not [message for message in asked if '"url":"http' in message]


@pytest.mark.parametrize("opened", ["phone", "desk"], indirect=True)
def test_nothing_is_wider_than_the_screen(opened: Any) -> None:
    wide, have = opened.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= have


@pytest.mark.parametrize("opened", ["phone", "desk"], indirect=True)
def test_the_slider_uncovers_the_colors(opened: Any, picture_of: Shot, tmp_path: Path) -> None:
    """Left of its mark lies the gray photograph, right of it the colorized one."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    slider = opened.find_element(By.CSS_SELECTOR, "figure input[type=range]")
    seen = {}
    for key, name in ((Keys.HOME, "right"), (Keys.END, "left")):
        slider.send_keys(key)
        seen[name] = chroma(picture_of("figure .stage")[:, 8:-8])
    assert seen["left"] < 0.5 < 5 < seen["right"]
    for _ in range(50):
        slider.send_keys(Keys.ARROW_LEFT)
    halves = picture_of("figure .stage")
    middle = halves.shape[1] // 2
    assert chroma(halves[:, 8 : middle - 8]) < 0.5
    assert chroma(halves[:, middle + 8 : -8]) > 5
    opened.save_screenshot(str(tmp_path / "report.png"))
    with Image.open(tmp_path / "report.png") as screen:
        assert chroma(np.asarray(screen.convert("RGB")).astype(int)) > 1


def test_the_picture_itself_can_be_dragged(opened: Any) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    stage = opened.find_element(By.CSS_SELECTOR, "figure .stage")
    slider = opened.find_element(By.CSS_SELECTOR, "figure input[type=range]")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    width = stage.size["width"]
    ActionChains(opened).move_to_element(stage).click_and_hold().move_by_offset(-width // 4, 0).release().perform()
    assert 20 <= int(slider.get_attribute("value")) <= 30
    ActionChains(opened).move_by_offset(width // 4, 0).perform()  # the button is up: nothing moves
    assert 20 <= int(slider.get_attribute("value")) <= 30


def test_either_side_shows_what_is_chosen(opened: Any, picture_of: Shot) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    left, right = (Select(each) for each in opened.find_elements(By.CSS_SELECTOR, "select"))
    names = [option.text for option in left.options]
    assert names == ["gray", "truth", "unet-lite2 faithful", "unet-lite2 vivid"]
    left.select_by_visible_text("truth")
    right.select_by_visible_text("gray")
    halves = picture_of("figure .stage")
    middle = halves.shape[1] // 2
    assert chroma(halves[:, 8 : middle - 8]) > 5
    assert chroma(halves[:, middle + 8 : -8]) < 0.5
    right.select_by_visible_text("truth")  # on both sides: the whole picture
    assert chroma(picture_of("figure .stage")[:, 8 : middle - 8]) > 5


def test_the_keyboard_reaches_every_slider(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    reached = set()
    sliders = opened.execute_script("return document.querySelectorAll('input[type=range]').length")
    for _ in range(4 * sliders):
        opened.switch_to.active_element.send_keys(Keys.TAB)
        label = opened.switch_to.active_element.get_attribute("aria-label") or ""
        reached.add(label) if label.startswith("Where the left picture") else None
    assert len(reached) == sliders == 12
