"""The warm-up request of TensorFlow Serving: a PredictionLog message, written field by field.

The messages are those of tensorflow_serving/apis (prediction_log.proto, predict.proto, model.proto); that package is
not needed to write three fields, and TensorProto comes with TensorFlow.
"""

from keras_equivariant.export.formats.backend import tensorflow

# Field numbers of the messages.
_LOG_PREDICT = 6  # PredictionLog.predict_log
_PREDICT_REQUEST = 1  # PredictLog.request
_REQUEST_MODEL_SPEC = 1  # PredictRequest.model_spec
_REQUEST_INPUTS = 2  # PredictRequest.inputs, a map: entries of key = 1, value = 2
_SPEC_NAME = 1  # ModelSpec.name
_SPEC_SIGNATURE = 3  # ModelSpec.signature_name


def prediction_log(model_name, signature, inputs):
    """A serialized PredictionLog with one PredictRequest.

    Args:
        model_name: name that the model is served under.
        signature: name of the signature to call.
        inputs: dict from input name to array, batch axis included.
    """
    tf = tensorflow(["saved_model"])
    spec = _field(_SPEC_NAME, model_name.encode()) + _field(_SPEC_SIGNATURE, signature.encode())
    request = _field(_REQUEST_MODEL_SPEC, spec)
    for name, value in inputs.items():
        entry = _field(1, name.encode()) + _field(2, tf.make_tensor_proto(value).SerializeToString())
        request += _field(_REQUEST_INPUTS, entry)
    return _field(_LOG_PREDICT, _field(_PREDICT_REQUEST, request))


def _field(number, payload):
    """A length-delimited field: tag, length, bytes."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value):
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
