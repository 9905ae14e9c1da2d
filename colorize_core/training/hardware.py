"""TensorFlow's set-up in a training process: threads, GPU, precision, memory and graph compiler."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from colorize_core.runtime import allocator


def set_up(*, use_gpu: bool, cpus: float, is_alone: bool) -> bool:
    """Imports TensorFlow and sets it up; call it before any computation.

    Args:
        use_gpu: whether the process may use its GPU.
        cpus: number of CPUs that the process may use.
        is_alone: True if no other process trains the same model.

    Returns:
        True if XLA should compile the training step: the process has a GPU and is alone.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with _without_garbage_collection():
        import keras
        import tensorflow as tf

    if not use_gpu:
        tf.config.set_visible_devices([], "GPU")  # Ray leaves all GPUs visible to a process that asked for none
    # Ray sets only OMP_NUM_THREADS, which TensorFlow's own thread pools do not read.
    tf.config.threading.set_intra_op_parallelism_threads(math.ceil(cpus))
    allocator.keep_free_memory()
    gpus = tf.config.get_visible_devices("GPU")
    capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
    keras.mixed_precision.set_dtype_policy(precision_for(capabilities))
    if is_alone and not gpus:
        # Rewriting unet-lite's graph takes 1.5 s and makes its steps no faster on CPUs. With several workers the
        # rewriter is needed, since it joins the sums of the gradients.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return is_alone and bool(gpus)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pauses garbage collection, which took a quarter of the imports' time: their million objects all stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def precision_for(capabilities: list[tuple[int, int]]) -> str:
    """Returns Keras' dtype policy for GPUs of these compute capabilities; an empty list stands for CPUs.

    The policy is bfloat16 arithmetic with float32 weights if all GPUs support it (compute capability 8.0), else
    float32. float16 would need a scaled loss, which Keras 3 does not support under MultiWorkerMirroredStrategy.
    """
    return "mixed_bfloat16" if capabilities and min(capabilities) >= (8, 0) else "float32"
