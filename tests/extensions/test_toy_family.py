"""A family of methods from another package: features with a layout of its own, two layers, nothing else.

Under a mirror an even number keeps its sign and an odd one changes it. Features (B, H, W, 2, C) hold an even and an
odd part of each field: an image and its derivative from left to right.
"""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant.groups.layouts import Image, Layout, WrongFeatures, received

MIRROR = "D1"


@dataclasses.dataclass(frozen=True)
class Parity(Layout):
    """Features (B, H, W, 2, C): even parts, and odd ones, which change their sign under mirrors."""

    group: object = dataclasses.field(default_factory=lambda: ke.groups.get(MIRROR), compare=False)
    fiber = 1
    permutes = False
    mixes = False

    def rotate(self, x, matrix):
        return x * np.array([1.0, np.linalg.det(matrix)]).reshape(2, 1).astype(x.dtype)

    def __str__(self):
        return "parity"


@ke.register_layer(package="toy_family")
class ParityLift(ke.EquivariantLayer):
    """The image, and its derivative from left to right."""

    group = ke.groups.get(MIRROR)

    def call(self, inputs):
        padded = ops.pad(inputs, ((0, 0), (0, 0), (1, 1), (0, 0)))
        return ops.stack([inputs, padded[:, :, 2:] - padded[:, :, :-2]], axis=-2)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2, input_shape[-1])

    def law(self, layout, shapes):
        return Parity()

    def expected_layout(self, shape):
        return Image()

    def fold(self, input_shape):
        def lift(x):
            padded = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
            return ops.concatenate([x, padded[:, :, 2:] - padded[:, :, :-2]], axis=-1)

        return [(lift, [])]


@ke.register_layer(package="toy_family")
class ParityNorm(ke.EquivariantLayer):
    """even + power of odd, an image where the power is even."""

    group = ke.groups.get(MIRROR)

    def __init__(self, power: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def call(self, inputs):
        return inputs[..., 0, :] + inputs[..., 1, :] ** self.power

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-2], input_shape[-1])

    def check_features(self, layout, shapes):
        if not isinstance(layout, Parity):
            raise WrongFeatures(f"takes features of parity. {received(layout, shapes[0])}", "use ParityLift before it")

    def law(self, layout, shapes):
        return Image(self.group)

    def expected_layout(self, shape):
        return Parity()

    def fold(self, input_shape):
        fields, power = input_shape[-1], self.power
        return [(lambda x: x[..., :fields] + x[..., fields:] ** power, [])]


def spec(*layers):
    return {"spec": 1, "name": "parity", "input": {"shape": [8, 8, 2]}, "layers": list(layers)}


WHOLE = spec("ParityLift", "ParityNorm", "GlobalAveragePooling2D")


def test_it_is_linted_certified_folded_and_exported(tmp_path):
    assert ke.lint(WHOLE) == []
    model = ke.build_from_spec(WHOLE)
    report = ke.certify(model)
    assert report.exact and report.group == MIRROR
    layers = {row.kind: row for row in report.layers}
    assert layers["ParityLift"].layout == "parity" and layers["ParityLift"].verdict == "exact"
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    np.testing.assert_allclose(ke.fold(model)(x), model(x), rtol=1e-5, atol=1e-6)
    assert ke.export(model, tmp_path, ["saved_model"]).passed


def test_its_own_layout_is_the_headline():
    report = ke.certify(ke.build_from_spec(spec("ParityLift")))
    assert report.exact and report.law == "equivariance" and report.outputs[0].endswith("parity")


def test_what_breaks_it_is_found():
    assert ke.certify(ke.build_from_spec(spec("ParityLift", {"ParityNorm": 3}))).verdict == "broken"
    assert ke.certify(ke.build_from_spec(WHOLE)).exact
    with pytest.raises(ke.SpecError, match="takes features of parity"):
        ke.build_from_spec(spec("ParityNorm"))
    broken = ke.lint(spec("ParityLift", {"Activation": "relu"}))
    assert broken and broken[0].severity == "error"
    with pytest.raises(ValueError, match="takes features of parity"):
        ParityNorm()(ke.layers.LiftingConv2D(1, 3, group="D1")(keras.Input((8, 8, 1))))
