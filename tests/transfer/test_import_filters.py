"""Filters of other libraries: what their network gives, ours gives, without a word about the order of elements."""

import pathlib
import sys

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers as L
from keras_equivariant.transfer.groupy import element_order

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "reference"))
import groupy  # noqa: E402
import null_space  # noqa: E402

pytestmark = pytest.mark.tensorflow


def merged(w):
    """(C_out, C_in, |G|, k, k) as GrouPy for TensorFlow and keras-gcnn have it."""
    return w.transpose(3, 4, 2, 1, 0).reshape(*w.shape[-2:], -1, w.shape[0])


@pytest.mark.parametrize("group", ["C4", "D4"])
@pytest.mark.parametrize("source", ["groupy", "keras_gcnn"])
def test_groupy(group, source):
    order, rng = ke.groups.get(group).order, np.random.default_rng(0)
    w1, w2 = rng.normal(size=(3, 2, 1, 3, 3)), rng.normal(size=(4, 3, order, 3, 3))
    b1, b2, image = rng.normal(size=3), rng.normal(size=4), rng.normal(size=(9, 9, 2))
    inputs = keras.Input((9, 9, 2))
    x = L.LiftingConv2D(3, 3, group, activation="relu", name="lift")(inputs)
    model = keras.Model(inputs, L.GroupPooling("max")(L.GroupConv2D(4, 3, group, name="conv")(x)))
    given = [w1, w2] if source == "groupy" else [merged(w1), merged(w2)]
    arrays = {"lift.kernel": given[0], "lift.bias": b1, "conv.kernel": given[1], "conv.bias": b2}
    assert ke.import_filters(model, arrays, source) == {"lift": 0.0, "conv": 0.0}
    features = np.maximum(groupy.convolve(image.transpose(2, 0, 1)[:, None], w1, order, b1), 0)
    wanted = groupy.convolve(features, w2, order, b2).max(axis=1).transpose(1, 2, 0)
    found = keras.ops.convert_to_numpy(model(image[None]))[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    # Negative control: with the elements in our order the answers are others.
    if group == "D4" and source == "groupy":
        layer = model.get_layer("conv")
        layer.kernel.assign(w2.transpose(3, 4, 2, 1, 0))
        assert np.abs(keras.ops.convert_to_numpy(model(image[None]))[0] - wanted).max() > 0.1


def element(group, matrix):
    """(j, k) of the matrix r^k f^j, f the left-right mirror."""
    j = int(np.linalg.det(matrix) < 0)
    turn = matrix @ np.diag([-1.0, 1.0]) if j else matrix
    n = group.order // 2 if any(np.linalg.det(m) < 0 for m in group.matrices) else group.order
    return j, round(np.arctan2(turn[1, 0], turn[0, 0]) * n / (2 * np.pi)) % n, n


def theirs(name, group):
    """A representation as escnn defines it, `(order, dim, dim)`."""
    pairs = [element(group, matrix) for matrix in group.matrices]
    if name == "regular":
        labels = sorted({pair[:2] for pair in pairs})
        return np.stack([_permutation(pair, labels) for pair in pairs])
    if name in ("0", "0+", "trivial"):
        return np.ones((group.order, 1, 1))
    if name[-1] in "+-":  # one component: cos(k t), and with "-" the sign of the mirror
        signs = [np.cos(int(name[:-1]) * 2 * np.pi * k / n) * (-1) ** (j * (name[-1] == "-")) for j, k, n in pairs]
        return np.array(signs)[:, None, None]
    if 2 * int(name) == pairs[0][2]:  # the last one of C_n, of one component
        return np.array([(-1.0) ** k for _, k, _ in pairs])[:, None, None]
    found = []
    for j, k, n in pairs:
        angle = int(name) * 2 * np.pi * k / n
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        found.append(turn @ np.diag([1.0, -1.0 if j else 1.0]))
    return np.stack(found)


def _permutation(pair, labels):
    j, k, n = pair
    matrix = np.zeros((len(labels), len(labels)))
    for i, (f, r) in enumerate(labels):
        moved = ((j + f) % 2, (k + (-r if j else r)) % n)  # r^k f^j r^r f^f
        matrix[labels.index(moved), i] = 1.0
    return matrix


def field_by_field(field_type):
    """The whole type in their order of channels, as one Representation."""
    group, blocks = field_type.group, []
    for multiplicity, name in field_type.terms:
        blocks += [theirs(name, group)] * multiplicity
    size = sum(block.shape[1] for block in blocks)
    matrices, start = np.zeros((group.order, size, size)), 0
    for block in blocks:
        stop = start + block.shape[1]
        matrices[:, start:stop, start:stop], start = block, stop
    return ke.groups.Representation(group, "theirs", matrices), [block.shape[1] for block in blocks]


def random_filters(before, after, size, seed):
    """A random solution of K(g x) = rho_out(g) K(x) rho_in(g)^-1 in their conventions, `(out, in, k, k)`: the mean of
    what the elements, a mirror and then k quarter turns, make of any kernel."""
    kernel = np.random.default_rng(seed).normal(size=(after.size, before.size, size, size))
    into, out, total = field_by_field(before)[0], field_by_field(after)[0], 0.0
    for g, matrix in enumerate(before.group.matrices):
        j, k, n = element(before.group, matrix)
        moved = np.rot90(kernel[..., ::-1] if j else kernel, 4 * k // n, axes=(2, 3))
        total = total + np.einsum("ab,bcuv,dc->aduv", out.matrices[g], moved, into.matrices[g])
    return total


def correlate(x, w):
    """`(C, H, W)` with filters `(out, in, k, k)`."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[-2:], axis=(1, 2))
    return np.einsum("oiuv,ihwuv->ohw", w, windows)


def invariants(x, dims):
    """The norm of each field and, which tells permuted components from others, the sum of their cubes if there are
    more than two; x is `(H, W, channels)`, field by field."""
    parts = np.split(x, np.cumsum(dims)[:-1], axis=-1)
    cubes = [np.sum(part**3, axis=-1) for part, dim in zip(parts, dims, strict=True) if dim > 2]
    return np.stack([np.linalg.norm(part, axis=-1) for part in parts] + cubes, axis=-1)


def our_field_by_field(x, field_type):
    parts = []
    for block in field_type.blocks:
        fields = x[..., block.start : block.stop].reshape(*x.shape[:-1], block.dim, block.multiplicity)
        parts.append(fields.swapaxes(-1, -2).reshape(*x.shape[:-1], -1))
    return np.concatenate(parts, axis=-1)


TYPES = {
    "C4": ("1x0", "2xregular + 2x1 + 1x2", "1xregular + 1x0"),
    "D4": ("2x0+", "1xregular + 2x1 + 1x2-", "1xregular + 2x0+ + 1x0-"),
}


@pytest.mark.parametrize("group", TYPES)
def test_escnn(group, tmp_path):
    first, middle, last = (ke.FieldType.parse(text, group) for text in TYPES[group])
    w1, w2 = random_filters(first, middle, 3, 0), random_filters(middle, last, 3, 1)
    inputs = keras.Input((9, 9, first.size))
    x = L.SteerableConv2D(first, middle, 3, name="one")(inputs)
    model = keras.Model(inputs, L.SteerableConv2D(middle, last, 3, name="two")(x))
    dims = field_by_field(last)[1]
    moved = [name for multiplicity, name in last.terms for _ in range(multiplicity)]
    bias = np.concatenate([np.full(dim, 0.0 if name == "0-" else 0.3) for dim, name in zip(dims, moved, strict=True)])
    np.savez(tmp_path / "escnn.npz", **{"one.kernel": w1, "two.kernel": w2, "two.bias": bias})
    losses = ke.import_filters(model, tmp_path / "escnn.npz", "escnn")
    assert set(losses) == {"one", "two"} and max(losses.values()) <= 1e-12
    image = np.random.default_rng(2).normal(size=(9, 9, first.size))
    wanted = correlate(correlate(image.transpose(2, 0, 1), w1), w2).transpose(1, 2, 0) + bias
    found = our_field_by_field(keras.ops.convert_to_numpy(model(image[None]))[0], last)
    np.testing.assert_allclose(invariants(found, dims), invariants(wanted, dims), rtol=1e-10, atol=1e-10)


def test_escnn_regular_fields_into_group_convolutions():
    scalar, regular = ke.FieldType.parse("1x0+", "D4"), ke.FieldType.parse("2xregular", "D4")
    w1, w2 = random_filters(scalar, regular, 3, 0), random_filters(regular, regular, 3, 1)
    inputs = keras.Input((9, 9, 1))
    x = L.LiftingConv2D(2, 3, "D4", activation="relu", name="lift")(inputs)
    x = L.GroupConv2D(2, 3, "D4", name="conv")(x)
    model = keras.Model(inputs, L.GroupPooling("max")(x))
    assert max(ke.import_filters(model, {"lift.kernel": w1, "conv.kernel": w2}, "escnn").values()) <= 1e-12
    image = np.random.default_rng(2).normal(size=(9, 9, 1))
    y = correlate(np.maximum(correlate(image.transpose(2, 0, 1), w1), 0), w2)
    wanted = y.reshape(2, 8, 5, 5).max(axis=1).transpose(1, 2, 0)
    np.testing.assert_allclose(model(image[None])[0], wanted, rtol=1e-10, atol=1e-10)


def test_escnn_linear_maps_and_other_rings():
    before, after = ke.FieldType.parse("2x0 + 2x1", "SO2"), ke.FieldType.parse("1x0 + 1x1", "SO2")
    dense = L.SteerableDense(before, after)
    dense.build((None, before.size))
    w = np.zeros((3, 6))
    w[0, :2] = 1.0, 2.0
    w[1:, 2:4] = [[0.5, -0.2], [0.2, 0.5]]
    w[1:, 4:6] = np.eye(2)
    assert ke.import_filters(dense, w, "escnn") <= 1e-12
    scalar, vector = ke.groups.irrep("SO2", "0"), ke.groups.irrep("SO2", "1")
    turns = np.stack([ke.groups.rotation_matrix(angle) for angle in (17.0, 90.0, 201.0)])
    conv = L.SteerableConv2D("1x0", "1x1", 5, "SO2")
    conv.build((None, 9, 9, 1))
    kernels = null_space.band_limited_kernels(scalar, vector, (5, 5), conv.rings, turns)
    w = (np.random.default_rng(0).normal(size=len(kernels)) @ kernels).reshape(5, 5, 2, 1).transpose(2, 3, 0, 1)
    assert ke.import_filters(conv, w, "escnn") <= 1e-10
    before = conv.get_weights()
    other = L.SteerableConv2D("1x0", "1x1", 5, "SO2", ring_width=0.8)
    other.build((None, 9, 9, 1))
    with pytest.raises(ValueError, match="likely the rings, sigma and frequencies_cutoff"):
        ke.import_filters(other, w, "escnn")
    assert ke.import_filters(other, w, "escnn", tolerance=1.0) > 1e-3
    with pytest.raises(ValueError, match=r"likely the field types or the group are others"):
        ke.import_filters(conv, np.random.default_rng(1).normal(size=w.shape), "escnn")
    np.testing.assert_array_equal(conv.get_weights()[0], before[0])


def test_mistakes(tmp_path):
    layer = L.LiftingConv2D(3, 3, "D4", use_bias=False, name="lift")
    w = np.zeros((3, 2, 1, 3, 3))
    with pytest.raises(ValueError, match="must be built"):
        ke.import_filters(layer, w, "groupy")
    layer.build((None, 9, 9, 2))
    model = keras.Sequential([keras.Input((9, 9, 2)), layer])
    attempts = [
        (layer, w, {"source": "e3nn"}, "`source` must be one of"),
        (layer, w[:, :1], {"source": "groupy"}, r"must have the shape \(3, 2, 1, 3, 3\).*Received: shape \(3, 1"),
        (layer, w, {"source": "keras_gcnn"}, r"must have the shape \(3, 3, 2, 3\)"),
        (layer, w, {"source": "groupy", "bias": np.ones(3)}, "A bias needs a layer that has one"),
        (layer, w[:, :, 0], {"source": "escnn"}, r"must have the shape \(24, 2, 3, 3\)"),
        (L.GroupPooling(), w, {"source": "groupy"}, "go into one of LiftingConv2D, GroupConv2D"),
        (model, {"lift.kernel": w, "other.kernel": w}, {"source": "groupy"}, "Received: other.kernel"),
        (model, {"lift.filter": w}, {"source": "groupy"}, "Received: lift.filter"),
        (model, tmp_path / "none.npz", {"source": "groupy"}, "a dict or an .npz file"),
    ]
    for target, filters, options, message in attempts:
        with pytest.raises(ValueError, match=message):
            ke.import_filters(target, filters, **options)
    steerable = L.LiftingConv2D(3, 3, "C8")
    steerable.build((None, 9, 9, 2))
    with pytest.raises(ValueError, match=r"on C4 \(p4\) or D4 \(p4m\)"):
        ke.import_filters(steerable, w, "groupy")
    quotient = L.SteerableConv2D("1x0+", "1xquotient(C2)", 3, "D4")
    quotient.build((None, 9, 9, 1))
    with pytest.raises(ValueError, match="regular ones and irreps"):
        ke.import_filters(quotient, np.zeros((4, 1, 3, 3)), "escnn")


def test_stock_kernels_for_each_field():
    rng = np.random.default_rng(0)
    stock = keras.layers.Conv2D(4, 3, padding="same", bias_initializer="normal")
    image = rng.standard_normal((2, 9, 9, 3)).astype("float32")
    wanted = keras.ops.convert_to_numpy(stock(image))
    layer = ke.layers.LiftingConv2D(4, 3, group="D4", padding="same")
    layer.build(image.shape)
    assert ke.import_filters(layer, stock.get_weights()[0], "keras", bias=stock.get_weights()[1]) == 0
    lifted = layer(image)
    np.testing.assert_allclose(lifted[..., 0, :], wanted, atol=1e-5)
    # Behind it each orientation takes from the same one.
    second = keras.layers.Conv2D(2, 3, padding="same", use_bias=False)
    wanted = keras.ops.convert_to_numpy(second(wanted))
    deep = ke.layers.GroupConv2D(2, 3, group="D4", padding="same")
    deep.build(lifted.shape)
    assert ke.import_filters(deep, second.get_weights()[0], "keras") == 0
    np.testing.assert_allclose(deep(lifted)[..., 0, :], wanted, atol=1e-5)
    depthwise = ke.layers.GroupDepthwiseConv2D(3, group="D4", padding="same")
    depthwise.build(lifted.shape)
    kernel = rng.standard_normal((3, 3, 4, 1))
    assert ke.import_filters(depthwise, kernel, "keras") == 0
    np.testing.assert_allclose(depthwise.expanded_kernel()[..., :4, :], kernel, atol=1e-6)
    with pytest.raises(ValueError, match=r"must have the shape \(3, 3, 4, 1\) for"):
        ke.import_filters(depthwise, kernel[:2], "keras")


def test_stock_kernels_of_all_channels_are_projected():
    kernel = np.random.default_rng(0).standard_normal((3, 3, 8, 8))
    layer = ke.layers.GroupConv2D(2, 3, group="C4")
    layer.build((None, 9, 9, 4, 2))
    with pytest.raises(ValueError, match="raise `tolerance`"):
        ke.import_filters(layer, kernel, "keras")
    loss = ke.import_filters(layer, kernel, "keras", tolerance=1)
    assert 0.8 < loss < 1  # a quarter of the square of the norm is left
    left = keras.ops.convert_to_numpy(layer.expanded_kernel())
    assert np.sum(left * (kernel - left)) == pytest.approx(0, abs=1e-4)  # orthogonal
    assert ke.import_filters(layer, left, "keras") < 1e-6


@pytest.mark.parametrize("group", ["C4", "D4"])
def test_layout_of_keras_gcnn(group):
    """Its features have slow fields and fast elements, for its filters become (k, k, C_in, |G|, C_out, |G|)."""
    order, rng = ke.groups.get(group).order, np.random.default_rng(0)
    ours = element_order(ke.groups.get(group))
    w, f = rng.normal(size=(4, 3, order, 3, 3)), rng.normal(size=(3, order, 7, 7))
    merged_filters = groupy.transformed(w, order).transpose(4, 5, 2, 3, 0, 1).reshape(3, 3, 3 * order, 4 * order)
    theirs = f.transpose(2, 3, 0, 1).reshape(1, 7, 7, 3 * order)
    wanted = keras.ops.convert_to_numpy(keras.ops.conv(theirs, merged_filters, padding="valid"))
    apart = wanted.reshape(1, 5, 5, 4, order)
    layer = L.GroupConv2D(4, 3, group, use_bias=False)
    layer.build((None, 7, 7, order, 3))
    ke.import_filters(layer, merged(w), "keras_gcnn")
    found = layer(f[:, ours].transpose(2, 3, 1, 0)[None])
    np.testing.assert_allclose(found, apart[..., ours].swapaxes(-1, -2), atol=1e-12)
    pooled = L.GroupPooling("mean")(found)  # GroupPool there
    np.testing.assert_allclose(pooled, apart.mean(axis=-1), atol=1e-12)
    wrong = wanted.reshape(1, 5, 5, order, 4)  # as if elements were slow
    assert np.abs(keras.ops.convert_to_numpy(found) - wrong).max() > 1


@pytest.mark.parametrize(("source", "shape"), [("keras", (3, 3, 2, 4)), ("groupy", (4, 2, 4, 3, 3))])
@pytest.mark.parametrize("place", ["filters", "bias"])
def test_what_is_not_finite_is_no_filter(source, shape, place):
    layer = ke.layers.GroupConv2D(4, 3, group="C4")
    layer.build((None, 8, 8, 4, 2))
    before, given = layer.get_weights(), {"filters": np.ones(shape), "bias": np.ones(4)}
    given[place].ravel()[1] = np.nan
    with pytest.raises(ValueError, match="must be finite. Received: 1 numbers"):
        ke.import_filters(layer, given["filters"], source, given["bias"])
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
