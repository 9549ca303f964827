"""Products of two features: equivariant for every element, all of them, folded and saved."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers as L
from keras_equivariant.groups import FieldType, clebsch_gordan

RNG = np.random.default_rng(0)
CASES = [
    ("2x0 + 1x1", "1x0 + 1x1 + 1x2", "2x0 + 3x1 + 1x2", "SO3"),
    ("2x0e + 1x1o", "1x0o + 1x1o", "1x0o + 2x1e + 1x1o + 1x2e", "O3"),
    ("2x0 + 2x1", "1x1 + 1x2", "2x0 + 1x1 + 1x3", "SO2"),
    ("1x0+ + 2x1", "2x1 + 1x2+", "1x0- + 1x1 + 1x2-", "D4"),
    ("1xA1 + 1xT1", "1xE + 1xT2", "2xE + 1xT1 + 1xA2", "O"),
]


def elements(group):
    group = ke.groups.get(group)
    return group.matrices if group.is_finite else group.sample(5).matrices


@pytest.mark.parametrize("case", CASES, ids=str)
def test_commutes_with_every_element(case):
    first, second, out, group = case
    layer = L.SteerableTensorProduct(first, second, out, group=group, dtype="float64")
    x, z = RNG.normal(size=(3, layer.in_type.size)), RNG.normal(size=(3, layer.second_type.size))
    y = keras.ops.convert_to_numpy(layer([x, z]))
    for matrix in elements(group):
        moved = layer([layer.in_type.transform(x, matrix), layer.second_type.transform(z, matrix)])
        wanted = layer.out_type.transform(y, matrix)
        np.testing.assert_allclose(moved, wanted, atol=1e-12 * np.abs(y).max())
    still = layer([layer.in_type.transform(x, matrix), z])  # negative control
    assert np.abs(keras.ops.convert_to_numpy(still) - wanted).max() > 1e-3


def test_weights_are_all_the_products_there_are():
    """One number for each pair of fields, field of the output and copy; and the sum that the docstring says."""
    first, second, out, group = CASES[0]
    layer = L.SteerableTensorProduct(first, second, out, group=group, dtype="float64")
    x, z = RNG.normal(size=(1, 5)), RNG.normal(size=(1, 9))
    y, kernel, start, wanted = layer([x, z]), keras.ops.convert_to_numpy(layer.kernel), 0, []
    types = [FieldType.parse(text, group).blocks for text in (first, second, out)]

    def field(values, block, i):
        return values[0, block.start : block.stop].reshape(block.dim, block.multiplicity)[:, i]

    for target in types[2]:
        total, fan = np.zeros((target.dim, target.multiplicity)), 0
        for a in types[0]:
            for b in types[1]:
                for c in clebsch_gordan(group, *(block.representation.name for block in (a, b, target))):
                    shape = (a.multiplicity, b.multiplicity, target.multiplicity)
                    w = kernel[start : start + np.prod(shape)].reshape(shape)
                    start, fan = start + w.size, fan + a.multiplicity * b.multiplicity
                    for u, v in np.ndindex(shape[:2]):
                        total += np.einsum("cab,a,b,w->cw", c, field(x, a, u), field(z, b, v), w[u, v])
        wanted.append(total.ravel() / np.sqrt(fan))
    assert start == len(kernel)
    np.testing.assert_allclose(y[0], np.concatenate(wanted), atol=1e-12)


def test_in_a_network(tmp_path):
    """Two branches of one image, multiplied; certified, folded, saved; the variance of white features is kept."""
    image = keras.Input((7, 7, 1))
    a = L.SteerableConv2D("1x0", "2x0 + 2x1", 5, "SO2", padding="same")(image)
    b = L.SteerableConv2D("1x0", "1x1 + 1x2", 5, "SO2", padding="same")(image)
    x = L.SteerableTensorProduct("2x0 + 2x1", "1x1 + 1x2", "2x0 + 2x1 + 1x2", group="SO2", kernel_regularizer="l2")(
        [a, b]
    )
    model = keras.Model(image, L.NormPooling("2x0 + 2x1 + 1x2", group="SO2")(x))
    assert ke.certify(model, group="C4", angles=0, layers=False).exact
    data = RNG.normal(size=(2, 7, 7, 1)).astype("float32")
    np.testing.assert_allclose(ke.fold(model)(data), model(data), atol=1e-5)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(data), model(data), atol=1e-6)
    with pytest.raises(ValueError, match='takes features of type "1x1 \\+ 1x2"'):
        L.SteerableTensorProduct("2x0 + 2x1", "1x1 + 1x2", "1x0", group="SO2")([a, a])
    keras.utils.set_random_seed(0)
    layer = L.SteerableTensorProduct("16x0 + 8x1", "8x0 + 8x1 + 4x2", "16x0 + 16x1", group="SO3")
    y = layer([RNG.normal(size=(500, 40)).astype("float32"), RNG.normal(size=(500, 52)).astype("float32")])
    assert 0.8 < np.var(y) < 1.25


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L.SteerableTensorProduct("1x0", "1x1", "1x2", group="SO3"), 'holds "2"'),
        (lambda: L.SteerableTensorProduct("1xregular", "1x1", "1x1", group="D4"), "takes irreps"),
        (
            lambda: L.SteerableTensorProduct("1x0", "1x1", "1x1", group="SO3")(np.zeros((1, 1))),
            "takes a list of features",
        ),
        *(
            (
                lambda second=second: L.SteerableTensorProduct("1x0 + 1x1", "1x1", "1x1", group="SO3")(
                    [keras.Input((5, 5, 4)), keras.Input(second)]
                ),
                "same axes but the last",
            )
            for second in ((4, 5, 3), (1, 1, 3))
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.tensorflow
def test_values_of_points_are_multiplied():
    inputs = [keras.Input((5, 3)), keras.Input((5, 4)), keras.Input((5,), dtype="bool")]
    x, f, mask = L.SteerablePointConv("1x0 + 1x1", "2x0 + 2x1", "SO3", 2.5, 5)(inputs)
    product = L.SteerableTensorProduct("2x0 + 2x1", "2x0 + 2x1", "1x0 + 1x1", "SO3")([f, f])
    model = keras.Model(inputs, L.SteerablePointPooling("1x0 + 1x1", "SO3")([x, product, mask]))
    assert ke.certify(model, dtypes=("float64",)).exact
    with pytest.raises(ValueError, match=r'takes features of type "5x0 \+ 1x1"'):
        L.SteerableTensorProduct("5x0 + 1x1", "2x0 + 2x1", "1x0 + 1x1", "SO3")([f, f])


def test_inputs_of_one_place_are_multiplied():
    layer = L.SteerableTensorProduct("1x0 + 1x1", "1x1", "1x1", group="SO3")
    x, z = RNG.normal(size=(2, 5, 5, 4)).astype("float32"), RNG.normal(size=(2, 1, 1, 3)).astype("float32")
    assert layer.compute_output_shape([(None, None, 5, 4), (2, 5, None, 3)]) == (2, 5, 5, 3)
    whole = layer([x, np.broadcast_to(z, (2, 5, 5, 3))])  # the remedy
    assert tuple(whole.shape) == (2, 5, 5, 3)
    with pytest.raises(ValueError, match="keras.ops.broadcast_to"):
        layer([x, z])
