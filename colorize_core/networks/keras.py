"""The engine Keras on TensorFlow: for bundles without an ONNX file, and for GPUs that ONNX Runtime cannot use."""

from __future__ import annotations

from contextlib import suppress

from colorize_core.color import Floats
from colorize_core.networks.interface import Trained
from colorize_core.runtime.silence import tensorflow_silenced


class KerasNetwork:
    """A network that runs as a compiled TensorFlow function.

    Args:
        trained: a bundle.
        threads: CPU threads for one call; None for one per CPU.

    Raises:
        BundleError: the weights cannot be loaded.
    """

    batch = 32

    def __init__(self, trained: Trained, threads: int | None = None) -> None:
        with tensorflow_silenced():
            import tensorflow as tf

            if threads:
                with suppress(RuntimeError):  # TensorFlow has already computed in this process and keeps its threads
                    tf.config.threading.set_intra_op_parallelism_threads(threads)
            model = trained.model()
        # Twice as fast as Model.predict, which copies each of these small batches and calls callbacks.
        self._network = tf.function(
            lambda x: model(x, training=False),
            input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)],
            autograph=False,  # there is no Python control flow to convert, and AutoGraph warns about lambdas
        )

    def __call__(self, inputs: Floats) -> Floats:
        """Predicts float32 [n, h', w', 2 or 3] from float32 [n, h, w, 1]."""
        outputs: Floats = self._network(inputs).numpy()
        return outputs
