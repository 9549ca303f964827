"""Functions by exponentials of negative numbers alone, while the SavedModel is written that integers are made from.

Keras computes selu, celu, softplus and its kin by exp(x) of all x and takes another branch where x is positive. The
range of integers is then that of exp(x), of which 256 steps leave nothing of the branch that is taken.
"""

import contextlib
import functools

from keras import ops

from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import walk
from keras_equivariant.stock.traits import activation_name

_SELU = (1.0507009873554805, 1.6732632423543772)  # scale and alpha, as Keras has them


def _negative(x, alpha=1.0):
    """alpha (exp(x / alpha) - 1) of negative x, 0 of others."""
    return alpha * (ops.exp(-ops.relu(-x) / alpha) - 1.0)


def _celu(x, alpha=1.0):
    return ops.relu(x) + _negative(x, alpha)


def _selu(x):
    scale, alpha = _SELU
    return scale * (ops.relu(x) + alpha * _negative(x))


def _softplus(x):
    return ops.relu(x) + ops.log(1.0 + ops.exp(-ops.abs(x)))


def _log_sigmoid(x):
    return -_softplus(-x)


def _mish(x):
    return x * ops.tanh(_softplus(x))


_BY_NAME = {"celu": _celu, "selu": _selu, "softplus": _softplus, "log_sigmoid": _log_sigmoid, "mish": _mish}
_BY_OPERATION = {"Celu": "celu", "Selu": "selu", "Softplus": "softplus", "LogSigmoid": "log_sigmoid", "Mish": "mish"}


@contextlib.contextmanager
def of_negatives(model):
    """Layers and operations of a model take the functions of this module in here."""
    layers, operations = _layers(model), _operations(model)
    before = [layer.activation for layer in layers]
    for layer in layers:
        layer.activation = _BY_NAME[activation_name(layer.activation)]
    for operation in operations:
        function = _BY_NAME[_BY_OPERATION[type(operation).__name__]]
        options = {"alpha": operation.alpha} if hasattr(operation, "alpha") else {}
        operation.call = functools.partial(function, **options)
    try:
        yield
    finally:
        for layer, activation in zip(layers, before, strict=True):
            layer.activation = activation
        for operation in operations:
            del operation.call


def takes_exponentials(model):
    """Whether `of_negatives` changes anything."""
    return bool(_layers(model) or _operations(model))


def _layers(model):
    activated = [layer for layer in walk(model) if callable(getattr(layer, "activation", None))]
    return [layer for layer in activated if activation_name(layer.activation) in _BY_NAME]


def _operations(model):
    made = [call.operation for call in calls(model)]
    return list({id(one): one for one in made if type(one).__name__ in _BY_OPERATION}.values())
