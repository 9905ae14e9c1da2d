"""Makers of hostile bundles, and of the errors with which they are refused."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import save

from colorize_core import bundle, load_bundle
from colorize_core.errors import BundleError

LIMIT = 1 << 30  # bytes of memory of a process that loads hostile bundles


def good_weights() -> bytes:
    """Returns a ``weights.safetensors`` with one kernel."""
    return save({"0000.kernel": np.ones((3, 3, 1, 2), np.float16), "0001.bias": np.zeros(2, np.float32)})


def good_keras_weights() -> bytes:
    """Returns a ``model.keras`` with one layer, as Keras writes it."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("layers/conv/vars")
        group.attrs["name"] = "conv"
        group["0"] = np.ones((3, 3, 1, 2), np.float32)
        group["1"] = np.zeros((), np.int64)
    return zipped({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": buffer.getvalue()})


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)  # dated 1980: always the same bytes
    return buffer.getvalue()


def good_onnx() -> onnx.ModelProto:
    """Returns a network [n, h, w, 1] -> [n, h, w, 2] with one convolution."""
    nodes = [
        helper.make_node("Transpose", ["lightness"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["ab"]),
        helper.make_node("Transpose", ["ab"], ["colors"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("lightness", TensorProto.FLOAT, ["n", "h", "w", 1])],
        [helper.make_tensor_value_info("colors", TensorProto.FLOAT, ["n", "h", "w", 2])],
        [helper.make_tensor("kernel", TensorProto.FLOAT, [2, 1, 1, 1], [0.1, 0.2])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def facts_of_default() -> dict[str, Any]:
    """Returns the facts of the default bundle, but of a network with one head."""
    facts: dict[str, Any] = json.loads(Path(bundle.place("default"), "bundle.json").read_text())
    facts["recipe"]["model"]["class_head"] = False
    facts["recipe"]["data"]["inference_side"] = 144
    facts["saturation"]["vivid"] = 1.55
    return facts


def refusal(folder: Path) -> str:
    """Returns the message with which ``load_bundle`` refuses a folder; checks that it is one printable line."""
    with pytest.raises(BundleError) as caught:
        load_bundle(str(folder))
    message = str(caught.value)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", message)
    assert len(message) < 1000
    assert str(folder) in message
    return message


def refusals_under_limits(folders: list[Path], seconds: float) -> list[str]:
    """Returns the message of ``load_bundle`` for each folder, from a process with 1 GiB of address space."""
    code = (
        "import json, resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({LIMIT}, {LIMIT}))\n"
        "from colorize_core.bundle import load_bundle\n"
        "from colorize_core.errors import BundleError\n"
        "for folder in sys.argv[1:]:\n"
        "    try: load_bundle(folder)\n"
        "    except BundleError as error: print(json.dumps(str(error)))\n"
        "    else: print(json.dumps('loaded'))\n"
        "loaded = {'tensorflow', 'keras', 'ray'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, folders)],
        capture_output=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    return [json.loads(line) for line in ended.stdout.splitlines()]
