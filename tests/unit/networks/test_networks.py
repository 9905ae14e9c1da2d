"""All engines predict the same; which one is taken."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from colorize_core import load_bundle, networks
from colorize_core.errors import BundleError, InputError
from colorize_core.networks import ENGINES, advice, are_light, engine_for, has_gpu, onnx, open_network


@pytest.mark.parametrize("shape", [(1, 96, 96, 1), (5, 64, 160, 1), (2, 32, 32, 1), (33, 32, 64, 1)])
def test_engines_predict_the_same(shape: tuple[int, ...]) -> None:
    bundle = load_bundle("default")
    inputs = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    outputs = {engine: open_network(bundle, engine, threads=2)(inputs) for engine in ENGINES}
    for output in outputs.values():
        assert (output.dtype, output.shape) == (np.float32, (shape[0], shape[1] // 4, shape[2] // 4, 5))
        assert output.std() > 0.01
        np.testing.assert_allclose(output, outputs["keras"], rtol=0, atol=1e-4)


def test_an_engine_is_chosen_by_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle("default")
    old = replace(bundle, onnx=b"", converted={})
    monkeypatch.setattr(onnx, "has_cuda", lambda: False)
    assert [engine_for(bundle, gpu=gpu) for gpu in (False, True)] == ["onnx", "keras"]
    assert [engine_for(old, gpu=gpu) for gpu in (False, True)] == ["keras", "keras"]
    monkeypatch.setattr(onnx, "has_cuda", lambda: True)
    assert [engine_for(bundle, gpu=gpu) for gpu in (False, True)] == ["onnx", "onnx"]


def test_a_record_is_all_that_is_known_of_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third engine needs no other line: here one that runs ONNX files like ONNX Runtime, but is not light."""
    slow = replace(ENGINES["onnx"], is_light=False)
    monkeypatch.setitem(ENGINES, "slow", slow)
    monkeypatch.setattr(networks, "ENGINE_CHOICES", ("auto", *ENGINES))
    bundle = load_bundle("default")
    old = replace(bundle, onnx=b"", converted={})
    assert open_network(bundle, "slow").batch == onnx.OnnxNetwork(bundle).batch
    assert (advice(bundle, "slow"), advice(old, "keras")) == ("", "")
    assert "has no model.onnx" in advice(old, "slow")
    assert are_light(["onnx"])
    assert not any(are_light(names) for names in (["slow"], ["keras"], ["onnx", "slow"]))
    monkeypatch.setattr(networks, "_DEVICE", os.devnull)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(onnx, "has_cuda", lambda: False)
    assert [has_gpu(name) for name in ("onnx", "keras", "slow")] == [False, True, False]


def test_an_unknown_engine_is_refused() -> None:
    for use in (open_network, advice):
        with pytest.raises(InputError, match=r"engine is 'torch'; choose from auto, onnx, keras"):
            use(load_bundle("default"), "torch")


def test_format_1_is_told_unless_keras_was_asked_for() -> None:
    bundle = load_bundle("default")
    old = replace(bundle, onnx=b"", converted={})
    assert advice(bundle, "auto") == advice(old, "keras") == ""
    assert "has no model.onnx: it runs through TensorFlow" in advice(old, "auto")
    with pytest.raises(BundleError, match=r"has no model\.onnx: choose --engine keras"):
        open_network(old, "onnx")


def test_an_onnx_file_that_does_not_load_is_one_line() -> None:
    bundle = load_bundle("default")
    with pytest.raises(BundleError, match=r"^model\.onnx of unet-lite2 cannot be loaded: ") as caught:
        open_network(replace(bundle, onnx=bundle.onnx[:1000]))
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_hidden_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx.onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert onnx.has_cuda()
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not onnx.has_cuda()
