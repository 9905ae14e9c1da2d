"""Images per second of ``colorize prepare`` against what users have, in one run.

    python -m tests.benchmarks.prepare_throughput [--cifar 240000] [--jpegs 16000] [--rounds 3]

CIFAR-10's binary layout against a loop with scikit-image: gray, Lab, normalized, kept in lists, saved by NumPy. JPEG
files of CelebA's size (178x218) against a hand-written tf.data pipeline with parallel calls: read, decode, crop, shrink
by area to 128x128, gray, Lab, the same statistics over a quarter of the pixels, TFRecord shards; and against the same
without gray, Lab and statistics, which ``prepare`` does not go without.

Steady state: ours goes from the time when each core has done its first chunk to the last chunk, theirs from the first
batch to the last; start-up is given apart. Rounds alternate, since machines are noisy; quote the ratio.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import color, data
from skimage.color import colorconv

from colorize_core.datasets.splits import SplitRule
from colorize_core.preparation.prepare import PrepareConfig, prepare
from colorize_core.preparation.shards import Record, Transform

BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
SIZE = 128  # of a square made of a JPEG file
AT_ONCE = 256


def make_cifar(folder: Path, count: int) -> None:
    """Crops of scikit-image's photographs in CIFAR-10's binary layout."""
    rng = np.random.default_rng(0)
    photographs = [getattr(data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")]
    folder.mkdir(parents=True)
    for name in BATCHES:
        rows = np.empty((count // len(BATCHES), 3, 32, 32), np.uint8)
        for i in range(len(rows)):
            rgb = photographs[i % len(photographs)]
            top, left = rng.integers(0, rgb.shape[0] - 32), rng.integers(0, rgb.shape[1] - 32)
            rows[i] = rgb[top : top + 32, left : left + 32].transpose(2, 0, 1)
        labels = np.zeros((len(rows), 1), np.uint8)
        np.concatenate([labels, rows.reshape(len(rows), 3072)], axis=1).tofile(folder / f"{name}.bin")


def make_jpegs(folder: Path, count: int) -> None:
    """Crops of CelebA's size as JPEG files."""
    rng = np.random.default_rng(0)
    photographs = [getattr(data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")]
    folder.mkdir(parents=True)
    for i in range(count):
        rgb = photographs[i % len(photographs)]
        top, left = rng.integers(0, rgb.shape[0] - 218), rng.integers(0, rgb.shape[1] - 178)
        Image.fromarray(rgb[top : top + 218, left : left + 178]).save(folder / f"{i:06d}.jpg", quality=90)


def ours(dataset: str, source: Path, output: Path, size: int) -> tuple[float, float]:
    """Images per second in steady state, and seconds until each core had done its first chunk."""
    done: list[tuple[float, int]] = []

    def note(record: Record, chunks: int) -> None:
        done.append((time.perf_counter(), sum(record.images.values())))

    started = time.perf_counter()
    prepare(PrepareConfig(dataset, str(source), str(output), Transform(size), SplitRule()), note)
    first = (os.cpu_count() or 1) - 1
    images = sum(count for _, count in done[first + 1 :])
    return images / (done[-1][0] - done[first][0]), done[first][0] - started


def scikit_image_loop(source: Path, output: Path, count: int) -> float:
    """Images per second of the loop over the first batch."""
    started = time.perf_counter()
    records = np.fromfile(source / f"{BATCHES[0]}.bin", np.uint8).reshape(-1, 3073)[:count]
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    grays, inputs, targets = [], [], []
    for image in images:
        grays.append(color.rgb2gray(image))
        lab = color.rgb2lab(image)
        inputs.append(lab[..., :1] / 50 - 1)
        targets.append(lab[..., 1:] / 128)
    np.savez(output, gray=np.array(grays), input=np.array(inputs), target=np.array(targets))
    return len(images) / (time.perf_counter() - started)


def tf_data(source: Path, output: Path, with_lab: bool) -> float:
    """Images per second of a tf.data pipeline after its first batch."""
    import tensorflow as tf

    to_xyz = tf.constant(colorconv.xyz_from_rgb.T / [0.95047, 1.0, 1.08883], tf.float32)
    luma = tf.constant([0.299, 0.587, 0.114])

    def load(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        small = tf.image.resize(image[20:198], (SIZE, SIZE), method="area")
        return tf.cast(tf.round(small), tf.uint8)

    def figures(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rgb = tf.cast(image[::2, ::2], tf.float32) / 255
        linear = tf.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
        xyz = tf.tensordot(linear, to_xyz, 1)
        f = tf.where(xyz > 0.008856, tf.pow(xyz, 1 / 3), 7.787 * xyz + 16 / 116)
        lab = [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])]
        planes = tf.stack([*tf.unstack(rgb, axis=-1), tf.tensordot(rgb, luma, 1), *lab])
        return image, tf.stack([tf.reduce_sum(planes, (1, 2)), tf.reduce_sum(planes**2, (1, 2))])

    images = tf.data.Dataset.from_tensor_slices(sorted(map(str, source.iterdir()))).map(load, tf.data.AUTOTUNE)
    if with_lab:
        images = images.map(figures, tf.data.AUTOTUNE)
    output.mkdir()
    started = done = 0.0
    for number, batch in enumerate(images.batch(AT_ONCE).prefetch(tf.data.AUTOTUNE).as_numpy_iterator()):
        pixels = batch[0] if with_lab else batch
        with tf.io.TFRecordWriter(str(output / f"{number:05d}.tfrecord")) as writer:
            for image in pixels:
                writer.write(image.tobytes())
        if number == 0:
            started = time.perf_counter()
        else:
            done += len(pixels)
    return done / (time.perf_counter() - started)


def main() -> None:
    """Prints a line per round and comparison, and the median ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=int, default=240_000, help="images in CIFAR-10's layout")
    parser.add_argument("--loop-images", type=int, default=5000, help="of them for the loop, which is slow")
    parser.add_argument("--jpegs", type=int, default=16000, help="JPEG files of CelebA's size")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="colorize-benchmark-"))
    try:
        make_cifar(work / "cifar", arguments.cifar)
        make_jpegs(work / "jpegs", arguments.jpegs)
        ratios: dict[str, list[float]] = {"scikit-image loop": [], "tf.data": [], "tf.data, pixels alone": []}
        for i in range(arguments.rounds):
            loop = scikit_image_loop(work / "cifar", work / f"loop-{i}.npz", arguments.loop_images)
            cifar, start_up = ours("cifar10", work / "cifar", work / f"cifar-{i}", 32)
            whole = tf_data(work / "jpegs", work / f"tf-{i}", with_lab=True)
            jpegs, _ = ours("folder", work / "jpegs", work / f"jpegs-{i}", SIZE)
            pixels = tf_data(work / "jpegs", work / f"tf-pixels-{i}", with_lab=False)
            for (name, values), theirs, rate in zip(
                ratios.items(), (loop, whole, pixels), (cifar, jpegs, jpegs), strict=True
            ):
                values.append(rate / theirs)
                print(
                    f"{name} {theirs:,.0f} images/s, colorize prepare {rate:,.0f}: {values[-1]:.2f} times", flush=True
                )
            print(f"start-up {start_up:.0f} s")
        for name, values in ratios.items():
            print(f"median against {name}: {statistics.median(values):.2f} times")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
