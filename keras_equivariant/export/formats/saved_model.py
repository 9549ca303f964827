"""SavedModels for TensorFlow Serving: written from a folded model, and read back for verification."""

import contextlib
import pathlib

from keras_equivariant.export.folding.block_rule import TENSORFLOW
from keras_equivariant.export.formats import warmup
from keras_equivariant.export.formats.backend import tensorflow
from keras_equivariant.export.formats.format import Format

SIGNATURE = "serving_default"


def write(source, folder):
    """Writes a SavedModel with the signatures `serving_default` and `serve`, and a warm-up request of one sample.

    Args:
        source: Source.
        folder: the version folder, `<name>/<version>`.
    """
    from keras_equivariant.export.formats.dilations import dilated_at_once
    from keras_equivariant.ops.portable_gradient import portable_gradients

    tf = tensorflow(["saved_model"])
    _check_sizes(source.model)
    with _quiet(tf.get_logger()), portable_gradients(), dilated_at_once(source.model):
        source.model.export(str(folder), format="tf_saved_model", verbose=False)
    extra = pathlib.Path(folder) / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as records:
        example = {name: x[:1] for name, x in source.inputs.items()}
        records.write(warmup.prediction_log(source.name, SIGNATURE, example))


def _check_sizes(model):
    """ValueError for a layer that Keras cannot run in a graph which does not know the sizes of its images."""
    from keras_equivariant.export.folding.enlarging import is_unsized
    from keras_equivariant.graphs.calls import calls

    for call in calls(model):
        if is_unsized(call.operation, call.inputs[0]):
            raise ValueError(
                "Keras enlarges images of unknown sizes in a file by the nearest or the linear kernel. Received: "
                f'"{call.operation.name}" with interpolation="{call.operation.interpolation}" on images of shape '
                f'{tuple(call.inputs[0].shape)}; use "bilinear", or give the input fixed sizes'
            )


@contextlib.contextmanager
def _quiet(logger):
    """TensorFlow reports the folder that it writes to, which is a temporary one here."""
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)


def load(folder, source=None):
    """The SavedModel as a function from a dict of arrays to a dict of arrays, by the default signature."""
    tf = tensorflow(["saved_model"])
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[SIGNATURE]

    def run(inputs, _keep_alive=loaded):
        outputs = signature(**{name: tf.constant(x) for name, x in inputs.items()})
        return {name: y.numpy() for name, y in outputs.items()}

    return run


FORMAT = Format(
    name="saved_model",
    file="{name}/{version}",
    purpose="TensorFlow Serving, TensorFlow's C library",
    backend="tensorflow",
    write=write,
    load=load,
    pointwise=TENSORFLOW,
)
