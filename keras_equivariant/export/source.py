"""The folded model that an export is made from, and what a format may ask of it while it writes."""

import keras
import numpy as np

from keras_equivariant.export.formats import registry
from keras_equivariant.export.signature import output_names


class Source:
    """What `Format.write` and `Format.load` are given.

    Attributes:
        model: the folded Keras model, of stock layers; its inputs and its outputs are a tensor, a flat list or a flat
            dict each.
        name: str, the name that it is served under.
        inputs: dict from input name to array, the few samples that it is verified on.
        data: dict from input name to array, the representative data, or None.
        inference_type: `"float32"` or `"int8"`, what a model of integers takes and returns.
        output_names: list of str, in the order of `keras.tree.flatten(model.output)`.

    Args:
        arrays, data: lists of arrays in the order of `model.inputs`; `data` may be None.
        stage: folder that the files are written into.
        version: int.
    """

    def __init__(self, model, name, arrays, data, inference_type, stage, version):
        self.model, self.name, self.version = model, name, version
        self.inputs = self.named(arrays)
        self.data = None if data is None else self.named(data)
        self.inference_type = inference_type
        self.output_names = output_names(model)
        self._stage, self._written = stage, {}

    def named(self, arrays):
        """Arrays in the order of the model's inputs as a dict by input name, in the inputs' dtypes."""
        pairs = zip(self.model.inputs, arrays, strict=True)
        return {tensor.name: np.asarray(x).astype(tensor.dtype, copy=False) for tensor, x in pairs}

    def file(self, format):
        """The path of the model in another format, such as `"saved_model"`: written when it is first asked for."""
        if format not in self._written:
            found = registry.get(format)
            path = self._stage / format / found.path(self.name, self.version).rpartition("/")[2]
            path.parent.mkdir()
            found.write(self, path)
            self._written[format] = path
        return self._written[format]

    def run(self, inputs):
        """The outputs of the folded model itself, by output name."""
        return self.runner(self.model)(inputs)

    def runner(self, model):
        """A Keras model of the same inputs and outputs as a function from a dict of arrays to a dict of arrays."""

        def run(inputs):
            outputs = model(keras.tree.pack_sequence_as(model.input, list(inputs.values())), training=False)
            arrays = [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(outputs)]
            return dict(zip(self.output_names, arrays, strict=True))

        return run
