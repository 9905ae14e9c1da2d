"""Exported models answer as the Keras model does; what cannot be exported leaves nothing."""

from __future__ import annotations

import json
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import Bundle, load_bundle, load_recipe, models, storage
from colorize_core.errors import ColorizeError, OutputError, UserError
from colorize_core.networks import export as exports
from colorize_core.networks.export import EXPORT_FORMATS, ExportFormat, export_bundle

TOLERANCE = 1e-4
SIDE = 16
TINY: dict[str, tuple[str, dict[str, Any], bool]] = {  # model, settings, whether it takes squares alone
    "conv": ("conv", {"widths": [4, 6], "up": "transpose-stride", "down": "stride"}, False),
    "conv_dense": ("conv_dense", {"side": SIDE, "widths": [4, 6], "code": 8}, True),
    "dense": ("dense", {"side": SIDE, "widths": [20], "bottleneck": 8}, True),
    "unet for squares": ("unet", {"widths": [4, 6], "convolutions": [1, 1]}, True),
}


def tiny(name: str, folder: Path) -> Bundle:
    """A bundle of a model that was never trained, gray -> RGB."""
    model, settings, square = TINY[name]
    changes = {
        "name": name,
        "data": {"color_space": "rgb", "gray": "average", "size": SIDE, "crop": SIDE, "inference_side": SIDE},
        "model": {"name": model, "settings": settings, "multiple": 4, "square": square},
        "training.rebalance": 0,
    }
    recipe = load_recipe("unet-lab", changes)
    network = models.build(model, settings, "rgb")
    rng = np.random.default_rng(0)
    for weights in network.weights:  # zeros and ones, as some begin, would hide what is lost
        low = 0.5 if "variance" in weights.path else -0.5
        weights.assign(rng.uniform(low, 1, weights.shape) / max(1, weights.shape[0] ** 0.5))
    network.save(folder / "tiny.keras")
    return Bundle.create(recipe, (folder / "tiny.keras").read_bytes(), 1.0, {})


def input_shape(path: str, facts: dict[str, Any]) -> list[int | None]:
    """What the exported file itself says, None for a free side."""
    if facts["model_format"] == "onnx":
        import onnxruntime

        [source] = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()
        return [side if isinstance(side, int) else None for side in source.shape]
    import tensorflow as tf

    restored = tf.saved_model.load(path)
    signature = restored.signatures["serving_default"].structured_input_signature[1]
    return list(signature[facts["input"]["name"]].shape)


def answer(path: str, facts: dict[str, Any], inputs: np.ndarray) -> np.ndarray:
    """What a user gets who has the exported files alone."""
    if facts["model_format"] == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(storage.read(path), providers=["CPUExecutionProvider"])
        return np.asarray(session.run([facts["output"]["name"]], {facts["input"]["name"]: inputs})[0])
    import tensorflow as tf

    restored = tf.saved_model.load(path)
    named = restored.signatures["serving_default"](**{facts["input"]["name"]: tf.constant(inputs)})
    return np.asarray(named[facts["output"]["name"]])


def read_facts(path: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(storage.read(path))
    return facts


@pytest.mark.parametrize("file_format", EXPORT_FORMATS)
def test_the_default_bundle_at_any_size(file_format: ExportFormat, tmp_path: Path) -> None:
    bundle = load_bundle("default")
    exported = export_bundle(bundle, str(tmp_path / "out"), file_format)
    facts = read_facts(exported.facts_path)
    model = bundle.model()
    rng = np.random.default_rng(7)
    for shape in ((1, 96, 96, 1), (4, 64, 160, 1), (2, 32, 32, 1)):
        inputs = rng.uniform(-1, 1, shape).astype(np.float32)
        expected = np.asarray(model(inputs, training=False))
        assert expected.std() > 0.01
        np.testing.assert_allclose(answer(exported.path, facts, inputs), expected, rtol=0, atol=TOLERANCE)
    assert (facts["bundle"], facts["digest"]) == (bundle.name, bundle.digest)
    assert facts["color_space"] == "lab"
    assert facts["input"]["range"] == [-1, 1]
    assert facts["input"]["shape"] == ["batch", "height", "width", 1]
    assert facts["input"]["sides_multiple"] == 32
    assert (facts["output"]["side_ratio"], facts["output"]["scale"]) == (0.25, 128)
    assert 0 <= facts["compared"]["max_abs_difference"] <= TOLERANCE
    assert len({tuple(shape) for shape in facts["compared"]["shapes"]}) >= 2


@pytest.mark.parametrize("file_format", EXPORT_FORMATS)
@pytest.mark.parametrize("name", sorted(TINY))
def test_every_kind_of_model(name: str, file_format: ExportFormat, tmp_path: Path) -> None:
    bundle = tiny(name, tmp_path)
    exported = export_bundle(bundle, str(tmp_path / "out"), file_format)
    facts = read_facts(exported.facts_path)
    squares = TINY[name][2]
    sides = [SIDE, SIDE] if squares else ["height", "width"]
    assert facts["input"]["shape"] == ["batch", *sides, 1]
    assert input_shape(exported.path, facts) == [None, *([SIDE, SIDE] if squares else [None, None]), 1]
    assert (facts["gray"]["formula"], facts["input"]["range"], facts["output"]["scale"]) == ("average", [0, 1], 255)
    model = bundle.model()
    for shape in ((1, SIDE, SIDE, 1), (5, SIDE, SIDE, 1) if squares else (5, 8, 20, 1)):
        inputs = np.random.default_rng(7).uniform(0, 1, shape).astype(np.float32)
        expected = np.asarray(model(inputs, training=False))
        assert expected.std() > 0.01
        np.testing.assert_allclose(answer(exported.path, facts, inputs), expected, rtol=0, atol=TOLERANCE)


def test_onnx_as_a_file_in_a_store(tmp_path: Path) -> None:
    root = f"memory://{uuid.uuid4().hex}"
    bundle = tiny("dense", tmp_path)
    for place, path in ((f"{root}/a/b.onnx", f"{root}/a/b.onnx"), (f"{root}/folder", f"{root}/folder/model.onnx")):
        exported = export_bundle(bundle, place, "onnx")
        assert (exported.path, exported.facts_path) == (path, f"{path}.json")
        assert answer(path, read_facts(f"{path}.json"), np.zeros((1, SIDE, SIDE, 1), np.float32)).shape[0] == 1
    names = [entry.name for entry in storage.find(root)]
    assert names == ["a/b.onnx", "a/b.onnx.json", "folder/model.onnx", "folder/model.onnx.json"]
    storage.remove(root)


@pytest.mark.parametrize(
    ("output", "file_format", "words"),
    [
        ("taken", "onnx", "exists already"),
        ("taken", "savedmodel", "exists already"),
        ("taken/file.onnx", "onnx", "exists already"),
        ("taken/other.onnx", "onnx", "exists already"),  # its JSON file is
        ("taken/plain", "savedmodel", "exists already"),
        ("new.onnx", "savedmodel", "ends in .onnx, but format savedmodel"),
        ("taken/plain/below", "savedmodel", "cannot be written"),
        ("taken/plain/below.onnx", "onnx", "cannot be written"),
    ],
)
def test_a_wrong_output_is_refused(output: str, file_format: ExportFormat, words: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    for name in ("file.onnx", "other.onnx.json", "plain"):
        (tmp_path / "taken" / name).write_text("somebody's")
    with pytest.raises(OutputError, match=words) as caught:
        export_bundle(load_bundle("default"), str(tmp_path / output), file_format)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert sorted(path.name for path in (tmp_path / "taken").iterdir()) == ["file.onnx", "other.onnx.json", "plain"]


@pytest.mark.parametrize("wrong", [2e-4, float("nan")])
@pytest.mark.parametrize("output", ["out", "out.onnx"])
def test_a_model_that_differs_leaves_nothing(
    output: str, wrong: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    run = onnxruntime.InferenceSession.run
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "run", lambda *arguments: [outputs + wrong for outputs in run(*arguments)]
    )
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    bundle = tiny("dense", tmp_path)
    (tmp_path / "tiny.keras").unlink()
    with pytest.raises(ColorizeError, match="differs from the Keras model by") as caught:
        export_bundle(bundle, str(tmp_path / output), "onnx")
    assert not isinstance(caught.value, UserError)
    assert [path.name for path in tmp_path.rglob("*")] == ["scratch"]


@pytest.mark.parametrize("where", ["local", "store"])
@pytest.mark.parametrize(("output", "file_format"), [("out", "savedmodel"), ("out", "onnx"), ("out.onnx", "onnx")])
@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_a_place_that_fails_half_way_keeps_nothing(
    error: BaseException,
    output: str,
    file_format: ExportFormat,
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = str(tmp_path) if where == "local" else f"memory://{uuid.uuid4().hex}"
    write = storage.write

    def fail_at_the_last(path: str, content: bytes) -> None:
        if path.endswith(".json"):
            raise error
        write(path, content)

    monkeypatch.setattr(storage, "write", fail_at_the_last)
    made = {"model.onnx": b"1"} if file_format == "onnx" else {"variables/data": b"1", "saved_model.pb": b"2"}
    monkeypatch.setattr(exports, "_convert", lambda *_: ({}, made))
    with pytest.raises((ColorizeError, KeyboardInterrupt)) as caught:
        export_bundle(load_bundle("default"), f"{root}/{output}", file_format)
    if isinstance(error, OSError):
        assert f"OUTPUT {root}/{output} cannot be written: no space left" == str(caught.value)
    assert not list(storage.find(root))
    assert not any(tmp_path.iterdir())


def test_a_converter_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such\noperator")

    bundle = tiny("conv", tmp_path)
    (tmp_path / "tiny.keras").unlink()
    monkeypatch.setattr(keras.Model, "export", fail)
    with pytest.raises(ColorizeError, match=r"^conv cannot be converted to ONNX: no such operator$"):
        export_bundle(bundle, str(tmp_path / "out"), "onnx")
    assert not any(tmp_path.iterdir())
