from __future__ import annotations

import errno
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from colorize_core import Colorizer, bundle, load_bundle, storage
from colorize_core.bundle import save_bundle, weights_file
from colorize_core.errors import BundleError, UserError
from colorize_core.recipes import Recipe
from colorize_core.recipes.network import build_model

DEFAULT = Path(bundle.place("default"))
LARGEST = 12 << 20


@pytest.mark.parametrize(("name", "label"), [("default", "unet-lite2"), ("fast", "unet-lite")])
def test_a_shipped_bundle_says_how_good_it_is(name: str, label: str) -> None:
    folder = Path(bundle.place(name))
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST
    metrics = load_bundle(name).metrics
    assert metrics["images"] >= 100
    rows = metrics["tables"]["full"]
    assert list(rows) == ["gray copy", "mean chroma", f"{label} faithful", f"{label} vivid"]
    assert metrics["not_beaten"]["full"][f"{label} faithful"] == []
    assert rows[f"{label} faithful"]["psnr"]["mean"] > rows["gray copy"]["psnr"]["mean"] + 1
    vivid = rows[f"{label} vivid"]["colorfulness"]["mean"]
    assert rows[f"{label} faithful"]["colorfulness"]["mean"] < vivid
    # 0.77 on the photographs on which the odds were chosen; the test photographs are more colorful (50, not 41)
    assert 0.7 < vivid / metrics["truth"]["colorfulness"]["mean"] < 1.25
    assert metrics["doubt"][label]["spearman"] >= 0.4
    card = (folder / "MODEL_CARD.md").read_text()
    for figures in rows.values():
        assert f"{figures['psnr']['mean']:.2f}" in card


def test_a_digest_stays_what_it_was_when_the_bundle_was_made() -> None:
    """The ledger identifies results by the digest. If it were computed differently, all results would be outdated."""
    facts = json.loads((DEFAULT / "bundle.json").read_text())
    assert load_bundle("default").digest == facts["digest"]


def changed(original: bundle.Bundle, **settings: Any) -> bundle.Bundle:
    """Returns a bundle with the same weights and a changed recipe."""
    raw = original.recipe.model_dump()
    for dotted, value in settings.items():
        section, name = dotted.split("__")
        raw[section][name] = value
    return replace(original, recipe=Recipe.model_validate(raw))


def test_a_digest_covers_what_decides_a_result() -> None:
    original = load_bundle("default")
    one_head = {"model__class_head": False, "training__loss": "ab-classification", "training__rebalance": 0}
    classes = changed(original, **one_head)
    deep = changed(original, model__encoder="VGG16", model__start="none")
    others = [
        classes,
        changed(classes, training__ab_step=20),
        changed(classes, training__temperature=0.5),
        deep,
    ]
    assert len({each.digest for each in (original, *others)}) == 5
    # The digest does not cover the epochs, the origin of the encoder's weights, or settings that the loss does not use.
    assert changed(original, training__epochs=99, training__temperature=0.5).digest == original.digest
    assert changed(deep, model__encoder_weights="imagenet").digest == deep.digest


def test_a_bundle_of_classes_on_an_encoder_gives_its_model_back(tmp_path: Path) -> None:

    original = load_bundle("default")
    recipe = changed(
        original,
        model__class_head=False,
        training__loss="ab-classification",
        training__rebalance=0,
        training__ab_step=20,
        training__temperature=0.5,
        model__settings={"widths": [8, 8], "convolutions": [1, 1]},
        model__encoder="MobileNetV2",
    ).recipe
    model = build_model(recipe)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.5, weight.shape) for weight in model.get_weights()])
    weights = weights_file.pack(model)  # rounds the model's weights
    again = replace(original, recipe=recipe, weights=weights).model()
    inputs = rng.uniform(-1, 1, (2, 32, 48, 1)).astype(np.float32)
    colors = np.asarray(model(inputs, training=False))
    assert colors.any()
    np.testing.assert_array_equal(np.asarray(again(inputs, training=False)), colors)


def test_the_default_bundle_colors_what_it_never_saw(gray_photographs: dict[str, NDArray[np.uint8]]) -> None:
    image = np.asarray(Colorizer(load_bundle("default")).colorize(gray_photographs["rocket"])).astype(float)
    sky = image[40:240, 60:180].mean((0, 1))  # an evening sky, left of the launch pad
    assert sky[2] > sky[0] + 5  # bluer than red


def test_saved_and_loaded_is_equal(tmp_path: Path) -> None:
    first = load_bundle("default")
    save_bundle(first, str(tmp_path), {"history.csv": b"epoch\n"})
    again = load_bundle(str(tmp_path))
    assert again == first
    assert again.digest == first.digest
    assert (tmp_path / "history.csv").read_bytes() == b"epoch\n"


@pytest.mark.parametrize("place", ["tmp_path", "bucket"])
def test_a_bundle_stays_whole_where_a_new_one_cannot_be_written(
    place: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = storage.join(str(request.getfixturevalue(place)), "bundle")
    files = {"history.csv": b"epoch\n", "tensorboard/events": b"old"}
    first = load_bundle("default")
    save_bundle(first, folder, files)
    before = {entry.name: storage.read(entry.path) for entry in storage.find(folder)}
    second = replace(first, training={**first.training, "note": "another one"})
    written = "replacing" if place == "tmp_path" else "write"
    intact = getattr(storage, written)
    for room in range(len(before)):
        left = [room]

        def run_out(*arguments: Any, left: list[int] = left) -> Any:
            if not left[0]:
                raise OSError(errno.ENOSPC, "no space left")
            left[0] -= 1
            return intact(*arguments)

        monkeypatch.setattr(storage, written, run_out)
        with pytest.raises(OSError, match="no space left"):
            save_bundle(second, folder, {**files, "tensorboard/events": b"new"})
        assert {entry.name: storage.read(entry.path) for entry in storage.find(folder)} == before
        assert load_bundle(folder) == first
    monkeypatch.setattr(storage, written, intact)
    save_bundle(second, folder, files)
    assert {entry.name for entry in storage.find(folder)} == set(before)
    assert load_bundle(folder) == second


def change_json(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "bundle.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def swap_weights(folder: Path) -> None:
    weights = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap_weights, "is not the file that its bundle.json describes"),
        (lambda folder: (folder / "weights.safetensors").unlink(), r"weights\.safetensors of .* is missing: "),
        (lambda folder: (folder / "model.onnx").unlink(), r"model\.onnx of .* is missing: "),
        (lambda folder: (folder / "bundle.json").unlink(), "no model bundle"),
        (lambda folder: (folder / "bundle.json").write_text("{"), "is not valid JSON"),
        (lambda folder: (folder / "bundle.json").write_text("{}"), "is damaged"),
        (lambda folder: (folder / "bundle.json").write_text("[1]"), "is damaged"),
        (change_json(format=99), "has format 99"),
        (change_json(recipe={"name": "x"}), "is damaged"),
    ],
)
def test_a_changed_bundle_is_refused(copy: Path, change: Callable[[Path], object], words: str) -> None:
    change(copy)
    with pytest.raises(BundleError, match=words) as caught:
        load_bundle(str(copy))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UserError)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BundleError, match="choose from default, fast"):
        load_bundle("no-such-bundle")


def test_a_model_file_with_code_runs_nothing(forge: Callable[..., Path], tmp_path: Path) -> None:
    """The file has a digest that fits, and its configuration asks for a Lambda layer with code."""
    import keras

    ran = tmp_path / "ran"
    code = eval(f"lambda x: (__import__('pathlib').Path({str(ran)!r}).touch(), x)[1]")  # noqa: S307
    evil = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(code)])
    ran.unlink()  # it ran when it was built
    buffer = tmp_path / "evil.keras"
    evil.save(buffer)
    with zipfile.ZipFile(io.BytesIO(buffer.read_bytes())) as archive:
        assert b"Lambda" in archive.read("config.json")
    loaded = load_bundle(str(forge(keras=buffer.read_bytes())))
    with pytest.raises(BundleError, match="weights of unet-lite2 cannot be loaded"):
        loaded.model()
    assert not ran.exists()


@pytest.mark.parametrize("saturation", [float("nan"), float("inf"), -1, None, [1]])
def test_a_saturation_that_is_no_factor_is_refused(saturation: Any) -> None:
    with pytest.raises(UserError, match="must be a name or a number of 0 or more"):
        load_bundle("fast").coloring(saturation)


def test_weights_of_another_model_are_refused() -> None:
    original = load_bundle("default")
    settings = {**original.recipe.model.settings, "widths": [8, 16, 32, 64, 80]}
    model = original.recipe.model.model_copy(update={"settings": settings})
    with pytest.raises(BundleError, match="the weights of unet-lite2 cannot be loaded"):
        replace(original, recipe=original.recipe.model_copy(update={"model": model})).model()
