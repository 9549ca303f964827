"""A SavedModel under MLServer: KServe's V2 protocol over REST and gRPC.

`export(..., server="mlserver")` puts a copy of this file beside the version folders of a model. It needs mlserver and
tensorflow, not keras_equivariant, and serves the highest version there is, as TensorFlow Serving does. What a request
holds is checked against the signature before TensorFlow sees it.
"""

import asyncio
import pathlib
import re

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.codecs.numpy import to_datatype
from mlserver.errors import InferenceError, MLServerError
from mlserver.types import InferenceResponse, MetadataTensor

SIGNATURE = "serving_default"
LARGEST_BATCH = 256  # examples in one request, unless `largest_batch` in model-settings.json says otherwise
MOST_REQUESTS = 32  # at once


class SavedModel(MLModel):
    """The signature `serving_default` of the highest version in the folder of the model's settings."""

    _running = 0

    def __init__(self, settings):
        super().__init__(settings)
        versions = self._versions()
        self._served = max(versions, key=lambda path: int(path.name)) if versions else None

    @property
    def version(self):
        """The number of the folder that is served, as which a request may name it."""
        return super().version or (self._served and str(int(self._served.name)))

    async def load(self):
        import tensorflow as tf

        self._tf = tf
        self._loaded = tf.saved_model.load(str(self._newest()))
        self._signature = self._loaded.signatures[SIGNATURE]
        self._specs = self._signature.structured_input_signature[1]
        self._largest = (self.settings.parameters.extra or {}).get("largest_batch", LARGEST_BATCH)
        self.inputs = _metadata(self._specs)
        self.outputs = _metadata(self._signature.structured_outputs)
        self._run(
            {name: tf.zeros([1 if n is None else n for n in s.shape], s.dtype) for name, s in self._specs.items()}
        )
        return True

    async def predict(self, payload):
        if payload.id is not None and not re.fullmatch(r"[\x21-\x7e]{0,200}", payload.id):
            # It comes back in a header.
            payload.id = None
            raise InferenceError("An id must be at most 200 printable ASCII characters without spaces.")
        # Of REST and gRPC together; what waits holds its arrays.
        if self._running >= MOST_REQUESTS:
            raise MLServerError(f"At most {MOST_REQUESTS} requests are answered at once. Ask again later.", 503)
        self._running += 1
        try:
            return await self._predict(payload)
        finally:
            self._running -= 1

    async def _predict(self, payload):
        wanted = [output.name for output in payload.outputs or ()] or list(self._signature.structured_outputs)
        unknown = set(wanted) - set(self._signature.structured_outputs)
        if unknown:
            raise InferenceError(
                f"Unknown output. Received: {sorted(unknown)}. The outputs are {self._names('outputs')}."
            )
        arrays = self._checked(payload.inputs)
        # In a thread: the server goes on answering while TensorFlow computes.
        found = await asyncio.get_running_loop().run_in_executor(None, self._run, arrays)
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output(name, found[name]) for name in wanted],
        )

    def _versions(self):
        folder = pathlib.Path(self.settings._source).parent
        return [path for path in folder.iterdir() if path.name.isdigit() and (path / "saved_model.pb").is_file()]

    def _newest(self):
        if self._served is None:
            raise FileNotFoundError(
                "A served folder must hold a version, <number>/saved_model.pb. Received: "
                f"{pathlib.Path(self.settings._source).parent} with none. Export the model there again."
            )
        return self._served

    def _run(self, arrays):
        outputs = self._signature(**{name: self._tf.constant(x) for name, x in arrays.items()})
        return {name: y.numpy() for name, y in outputs.items()}

    def _checked(self, inputs):
        given = {tensor.name: tensor for tensor in inputs}
        if len(given) != len(inputs) or set(given) != set(self._specs):
            raise InferenceError(
                f"A request must hold each input once. Received: {[tensor.name for tensor in inputs]}. The inputs are "
                f"{self._names('inputs')}."
            )
        arrays = {name: self._array(given[name], spec) for name, spec in self._specs.items()}
        if len({len(x) for x in arrays.values()}) > 1:
            raise InferenceError(
                f"All inputs must hold equally many examples. Received: {[*map(len, arrays.values())]}."
            )
        return arrays

    def _array(self, tensor, spec):
        shape, wanted = tuple(tensor.shape), tuple(spec.shape)
        datatype = to_datatype(spec.dtype.as_numpy_dtype(0).dtype).value
        given = getattr(tensor.datatype, "value", tensor.datatype)
        if given != datatype:
            raise InferenceError(f'Input "{tensor.name}" must have datatype {datatype}. Received: {given}.')
        if len(shape) != len(wanted) or any(n < 1 or w not in (None, n) for n, w in zip(shape, wanted, strict=True)):
            text = [-1 if n is None else n for n in wanted]
            raise InferenceError(f'Input "{tensor.name}" must have shape {text}. Received: {list(shape)}.')
        if shape[0] > self._largest:
            raise MLServerError(
                f"A request holds at most {self._largest} examples. Received: {shape[0]}. Send parts.", 413
            )
        try:
            array = NumpyCodec.decode_input(tensor)
        except (ValueError, TypeError, OverflowError) as error:
            raise InferenceError(
                f'Input "{tensor.name}" must hold numbers for its shape. Received: {error}.'
            ) from error
        if not np.isfinite(array).all():
            raise InferenceError(f'Input "{tensor.name}" must hold finite numbers. Received: NaN or infinity.')
        return array

    def _names(self, part):
        return ", ".join(f'"{tensor.name}"' for tensor in getattr(self, part))


def _metadata(specs):
    return [
        MetadataTensor(
            name=name,
            datatype=to_datatype(spec.dtype.as_numpy_dtype(0).dtype).value,
            shape=[-1 if n is None else n for n in spec.shape],
        )
        for name, spec in specs.items()
    ]
