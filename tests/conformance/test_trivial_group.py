"""On the trivial group every convolution is its stock Keras twin."""

import keras
import numpy as np
from catalogue import forward
from keras import ops

STOCK_ARGUMENTS = (
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "dilation_rate",
    "groups",
    "activation",
    "use_bias",
    "output_padding",
    "depth_multiplier",
)
NOT_STOCK = ("padding_mode", "basis", "trainable_basis", "equivariance_weight", "dilation_rate")


def test_stock_case_equals_twin(case, sample):
    arguments = {**case.arguments, "group": "Z3" if "3D" in case.layer.__name__ else "Z2", "strict": False}
    zeros = arguments.get("padding_mode", "zeros") == "zeros"
    pair = max(_tuple(arguments, "strides")) > 1 and max(_tuple(arguments, "dilation_rate")) > 1
    if not zeros or pair or arguments.get("basis", "exact") not in ("exact", "bilinear"):
        arguments = {k: v for k, v in arguments.items() if k not in NOT_STOCK}
    if case.layer.__name__.endswith("Transpose") and "dilation_rate" in arguments:
        arguments.pop("dilation_rate")  # the stock layer has none on CPU
    ours = case.layer(**arguments)
    twin = case.stock(**{k: v for k, v in arguments.items() if k in STOCK_ARGUMENTS})
    image = sample(case)[..., 0, :] if case.into == "regular" else sample(case)
    inputs = keras.Input(image.shape[1:])
    ours_in = ops.expand_dims(inputs, -2) if case.into == "regular" else inputs
    model = keras.Model(inputs, [ours(ours_in), twin(inputs)])
    twin.set_weights([w.reshape(t.shape) for w, t in zip(ours.get_weights(), twin.get_weights(), strict=True)])
    y, expected = map(ops.convert_to_numpy, forward(model, image))
    np.testing.assert_allclose(y[..., 0, :], expected, rtol=1e-5, atol=1e-5)


def _tuple(arguments, name):
    value = arguments.get(name, 1)
    return value if isinstance(value, (tuple, list)) else (value,)
