"""What a search may try."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from colorize_core.errors import RecipeError
from colorize_core.recipes import load_recipe, with_settings
from colorize_core.training.search_space import SearchSpace, load_search_space

SPACE = """
training.learning_rate: {min: 0.0001, max: 0.01, log: true}
training.batch_size: {min: 16, max: 64}
model.settings.dropout: {min: 0.0, max: 0.5}
model.settings.widths: [[8, 16, 32, 64], [16, 32, 64, 128]]
training.loss: [mse, l1]
"""


def written(folder: Path, text: str) -> str:
    path = folder / "space.yaml"
    path.write_text(text)
    return str(path)


def test_draws_are_within_and_the_same_for_one_seed(tmp_path: Path) -> None:
    space = load_search_space(written(tmp_path, SPACE))
    drawn = space.draw(300, seed=3)
    assert drawn == space.draw(300, seed=3) != space.draw(300, seed=4)
    assert drawn[:5] == space.draw(5, seed=3)
    assert {each["training.loss"] for each in drawn} == {"mse", "l1"}
    assert {len(each["model.settings.widths"]) for each in drawn} == {4}
    sizes = {each["training.batch_size"] for each in drawn}
    assert sizes <= set(range(16, 65))
    assert len(sizes) > 30
    rates = [each["training.learning_rate"] for each in drawn]
    assert 0.0001 <= min(rates) <= max(rates) <= 0.01
    assert math.log10(sorted(rates)[150]) == pytest.approx(-3, abs=0.25)  # the middle by logarithm
    assert sum(each["model.settings.dropout"] for each in drawn) / 300 == pytest.approx(0.25, abs=0.03)
    for each in drawn[:20]:
        with_settings(load_recipe("unet-lab"), each)


def test_the_default_fits_every_recipe() -> None:
    for name in ("unet-lab", "cifar10-dense", "celeba-conv"):
        for settings in load_search_space(None).draw(20, seed=0):
            made = with_settings(load_recipe(name), settings)
            assert made.training.learning_rate == settings["training.learning_rate"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "Input should be a valid dictionary"),
        ("", "Input should be a valid dictionary"),
        ("{}", "at least 1 item"),
        ("training.loss: []", "training.loss"),
        ("training.learning_rate: {min: 1, max: 1}", "min must be below max"),
        ("training.learning_rate: {min: 0, max: 1, log: true}", "learning_rate: min must be below max, and above 0 if"),
        ("training.learning_rate: {min: 0}", "training.learning_rate"),
        ("training.learning_rate: 3", "training.learning_rate"),
        ("data.gray: [luminance, average]", "data.gray changes what trials are compared on"),
        ("training.color_gain: [1.0, 1.2]", "training.color_gain is applied after the trials are compared"),
        ("model.settings.first_stride: [1, 2]", "model.settings.first_stride changes what trials are compared on"),
        ("a: [", "cannot be read"),
    ],
)
def test_what_is_no_space_is_said_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_search_space(written(tmp_path, text))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load_search_space(str(tmp_path / "none.yaml"))


def test_a_setting_that_no_recipe_has() -> None:
    [settings] = SearchSpace.model_validate({"training.speed": [1]}).draw(1, seed=0)
    with pytest.raises(RecipeError, match=r"training\.speed"):
        with_settings(load_recipe("unet-lab"), settings)
