"""`activation=` of a layer is judged as the stock layer behind it would be, and keeps the number of channels."""

import inspect

import keras
import pytest

import keras_equivariant as ke
from keras_equivariant import layers
from keras_equivariant.compiler import SpecError, lint

STOCK = keras.layers
TAKES = {  # a layer with an activation, the option, and the shape of an input
    "lifting": (lambda **o: layers.LiftingConv2D(2, 3, "C4", **o), "activation", (8, 8, 1)),
    "group": (lambda **o: layers.GroupConv2D(2, 3, "C4", **o), "activation", (8, 8, 4, 1)),
    "depthwise": (lambda **o: layers.GroupDepthwiseConv2D(3, "C4", **o), "activation", (8, 8, 4, 1)),
    "transposed": (lambda **o: layers.GroupConv2DTranspose(2, 3, "C4", **o), "activation", (8, 8, 4, 1)),
    "steerable": (lambda **o: layers.SteerableConv2D("1x0", "2xregular", 3, "C4", **o), "activation", (8, 8, 1)),
    "dense": (lambda **o: layers.SteerableDense("2xregular", "2xregular", "C4", **o), "activation", (8, 8, 8)),
    "pointwise": (
        lambda **o: layers.PointwiseActivation("2xregular", group="C4", **o),
        "activation",
        (8, 8, 8),
    ),
    "normalization": (
        lambda **o: layers.SteerableBatchNormalization("2xregular", group="C4", **o),
        "activation",
        (8, 8, 8),
    ),
    "relaxed": (
        lambda **o: layers.Relaxed(layers.LiftingConv2D(2, 3, "C4"), **o),
        "activation",
        (8, 8, 1),
    ),
}
ALONE = {  # of norms, gates, samples and points: functions of each number only
    "concatenated": (lambda **o: layers.ConcatenatedReLU("2x0+", "D4", **o), "activation"),
    "gated": (lambda **o: layers.GatedActivation("4x0+ + 2x1", "O2", **o), "activation"),
    "gate": (lambda **o: layers.GatedActivation("4x0+ + 2x1", "O2", **o), "gate"),
    "norms": (lambda **o: layers.NormActivation("4x0+ + 2x1", "O2", **o), "activation"),
    "samples": (lambda **o: layers.FourierActivation("2x0 + 2x1", "C8", **o), "activation"),
    "magnitudes": (lambda **o: layers.HarmonicActivation(**o), "activation"),
    "normalized magnitudes": (lambda **o: layers.HarmonicBatchNormalization(**o), "activation"),
    "points": (lambda **o: layers.LieConv(2, "T2", **o), "activation"),
}


@pytest.mark.parametrize("case", TAKES)
@pytest.mark.parametrize(
    "activation", [STOCK.PReLU, lambda: STOCK.PReLU(shared_axes=[2]), lambda: STOCK.Softmax(axis=1)]
)
def test_what_treats_positions_differently_is_refused(case, activation):
    make, option, shape = TAKES[case]
    with pytest.raises(ValueError, match=r"loses its exact symmetry: its activation \w+: .*; use "):
        make(**{option: activation()})(keras.Input(shape))
    with pytest.warns(UserWarning, match=r"its activation .*approximately equivariant \(strict=False\)"):
        make(**{option: activation()}, strict=False)(keras.Input(shape))


@pytest.mark.parametrize("case", TAKES)
def test_what_treats_them_alike_is_taken(case):
    make, option, shape = TAKES[case]
    axes = [1, 2, 3]  # of space and of the group, or of the channels where they are components of fields
    threshold = lambda x: keras.activations.threshold(x, 0.1, 0.0)  # noqa: E731
    for activation in (STOCK.PReLU(shared_axes=axes), STOCK.ReLU(6.0), STOCK.Dropout(0.5), "softmax", threshold):
        layer = make(**{option: activation})
        x = keras.ops.ones((1, *shape))
        assert layer(x).shape == layer.compute_output_shape(x.shape)


@pytest.mark.parametrize("case", [*TAKES, *ALONE])
def test_what_changes_the_number_of_channels_or_needs_more_is_refused(case):
    make, option, *_ = {**TAKES, **ALONE}[case]
    for activation in ("glu", keras.activations.glu, STOCK.Activation("glu")):
        with pytest.raises(ValueError, match='must keep the number of channels. Received: activation="glu"'):
            make(**{option: activation})
    with pytest.raises(ValueError, match="'threshold', which needs `threshold` and `default_value` as well"):
        make(**{option: "threshold"})


@pytest.mark.parametrize("case", ALONE)
def test_within_a_layer_they_are_functions_of_each_number(case):
    make, option = ALONE[case]
    make(**{option: STOCK.LeakyReLU(0.1)})
    with pytest.raises(ValueError, match="must be a function of each number. Received: activation=PReLU; use one by"):
        make(**{option: STOCK.PReLU()})


def test_batch_normalization_judges_its_activation():
    x = layers.LiftingConv2D(2, 3, "C4")(keras.Input((8, 8, 1)))
    for activation, remedy in ((STOCK.PReLU(), r"use shared_axes=\[1, 2, 3\]"), (STOCK.Softmax(axis=1), "use axis=-1")):
        with pytest.raises(ValueError, match=f"loses the symmetry of its features.*{remedy}"):
            layers.BatchNormalization(activation=activation)(x)
    assert layers.BatchNormalization(activation=STOCK.PReLU(shared_axes=[1, 2, 3]))(x).shape == x.shape
    with pytest.raises(ValueError, match="must keep the number of channels"):
        layers.BatchNormalization(activation="glu")


def test_specs_name_the_activations_that_every_layer_takes():
    def network(activation):
        conv = {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "D4", "activation": activation}}
        ends = ["GroupPooling", "GlobalAveragePooling2D"]
        return {"spec": 1, "name": "net", "input": {"shape": [9, 9, 1]}, "layers": [conv, *ends]}

    for name in ("glu", "threshold"):
        with pytest.raises(SpecError, match="activation: unknown value"):
            lint(network(name))
    names = [name for name in dir(keras.activations) if inspect.isfunction(getattr(keras.activations, name))]
    for name in set(names) - {"glu", "threshold", "get", "serialize", "deserialize"}:
        assert ke.build_from_spec(network(name)).output_shape == (None, 2)
