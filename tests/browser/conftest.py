"""A browser without a window, on a desk and on a phone."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs chromium and chromedriver (Debian: apt-get install chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    yield made
    made.quit()


@pytest.fixture(params=["desk"])
def opened(driver: Any, page: Path, request: pytest.FixtureRequest) -> Any:
    """The page, in a window of a desk unless a test asks for a phone."""
    width, height = {"desk": DESK, "phone": PHONE}[request.param]
    # A window has a least width; a phone's screen is emulated, as a developer does it.
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(page.as_uri())
    return driver


@pytest.fixture
def picture_of(opened: Any) -> Callable[[str], np.ndarray]:
    """Pixels int [h, w, 3] of what a selector finds first, as the browser shows it."""
    from selenium.webdriver.common.by import By

    def shot(css: str) -> np.ndarray:
        element = opened.find_element(By.CSS_SELECTOR, css)
        opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return np.asarray(Image.open(io.BytesIO(element.screenshot_as_png)).convert("RGB")).astype(int)

    return shot
