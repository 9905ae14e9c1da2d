"""TensorFlow on what a training process was given: its threads, GPU, precision, memory and graph compiler."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from colorize_core.runtime import allocator


def set_up(*, use_gpu: bool, cpus: float, is_alone: bool) -> bool:
    """Imports TensorFlow and sets it up, before anything is computed.

    Args:
        use_gpu: whether the process may use its GPU.
        cpus: number of CPUs that it may use.
        is_alone: whether no other process trains the same model.

    Returns:
        Whether XLA is to compile the training step: on a single GPU.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with _without_collection():
        import keras
        import tensorflow as tf

    if not use_gpu:
        tf.config.set_visible_devices([], "GPU")  # Ray leaves all in sight of a process that asked for none
    # Ray sets OMP_NUM_THREADS only, which TensorFlow's own pools do not read.
    tf.config.threading.set_intra_op_parallelism_threads(math.ceil(cpus))
    allocator.keep_free_memory()
    gpus = tf.config.get_visible_devices("GPU")
    found = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
    keras.mixed_precision.set_dtype_policy(precision_for(found))
    if is_alone and not gpus:
        # Rewriting unet-lite's graph takes 1.5 s, and its steps are no faster for it on CPUs. Of several workers it
        # joins the sums of the gradients.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return is_alone and bool(gpus)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Collects no garbage: an import makes a million objects that stay, and looking for others took a quarter of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def precision_for(capabilities: list[tuple[int, int]]) -> str:
    """Returns Keras' dtype policy for GPUs of these compute capabilities; none are a CPU.

    bfloat16 for arithmetic with weights in float32 where the hardware has it (compute capability 8.0), else float32:
    float16 needs its loss scaled, which Keras 3 does not do under MultiWorkerMirroredStrategy.
    """
    return "mixed_bfloat16" if capabilities and min(capabilities) >= (8, 0) else "float32"
