"""SavedModels for TensorFlow Serving: written from a folded model, and read back for verification."""

import contextlib
import pathlib

from keras_equivariant.export.formats import warmup
from keras_equivariant.export.formats.backend import tensorflow

SIGNATURE = "serving_default"


def write(folded, folder, name, example):
    """Writes a SavedModel with the signatures `serving_default` and `serve`, and a warm-up request.

    Args:
        folded: model of stock layers, with inputs and outputs that are a tensor, a flat list or a flat dict.
        folder: the version folder, `<name>/<version>`.
        name: name that the model is served under.
        example: dict from input name to an array of one sample, the warm-up request.
    """
    tf = tensorflow(["saved_model"])
    with _quiet(tf.get_logger()):
        folded.export(str(folder), format="tf_saved_model", verbose=False)
    extra = pathlib.Path(folder) / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as records:
        records.write(warmup.prediction_log(name, SIGNATURE, example))


@contextlib.contextmanager
def _quiet(logger):
    """TensorFlow reports the folder that it writes to, which is a temporary one here."""
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)


def load(folder):
    """The SavedModel as a function from a dict of arrays to a dict of arrays, by the default signature."""
    tf = tensorflow(["saved_model"])
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[SIGNATURE]

    def run(inputs, _keep_alive=loaded):
        outputs = signature(**{name: tf.constant(x) for name, x in inputs.items()})
        return {name: y.numpy() for name, y in outputs.items()}

    return run
