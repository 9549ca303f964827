"""Filters of GrouPy for volumes, se3cnn and Harmonic Networks: what their formulae give, ours give."""

import itertools
import pathlib

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers as L
from keras_equivariant.groups import grid
from keras_equivariant.kernels import Rings
from keras_equivariant.kernels.steerable import irrep_kernels
from keras_equivariant.transfer import groupy_3d, se3cnn

pytestmark = pytest.mark.tensorflow
RNG = np.random.default_rng(0)


def transformed(w, matrices, fields):
    """GrouPy's W+[s', s, u, v, w] = W[s'^-1 (s, u, v, w)], voxels from the center of an odd kernel."""
    size = w.shape[0]
    inside = w.shape[3] // fields
    apart, half = w.reshape(size, size, size, inside, fields, -1), size // 2
    number = {tuple(np.rint(m).astype(int).ravel()): i for i, m in enumerate(matrices)}
    found = np.zeros((len(matrices), *apart.shape))
    for after, matrix in enumerate(matrices):
        for voxel in itertools.product(range(size), repeat=3):
            source = np.rint(matrix.T @ (np.array(voxel) - half)).astype(int) + half
            for s in range(inside):
                of = 0 if inside == 1 else number[tuple(np.rint(matrix.T @ matrices[s]).astype(int).ravel())]
                found[(after, *voxel, s)] = apart[(*source, of)]
    return found


def correlate(x, filters):
    """`(X, Y, Z, S, C)` with `(S', k, k, k, S, C, F)` to `(X', Y', Z', S', F)`."""
    size = filters.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size,) * 3, axis=(0, 1, 2))
    return np.einsum("xyzscuvw,tuvwscf->xyztf", windows, filters, optimize=True)


@pytest.mark.parametrize("name", ["O", "Oh", "C4h", "D4h"])
def test_groupy_of_volumes(name):
    group = ke.groups.get(name) if name != "C4h" else groupy_3d.group(name)
    matrices, order = groupy_3d.tables()[name], group.order
    w1, w2 = RNG.normal(size=(3, 3, 3, 2, 2)), RNG.normal(size=(1, 1, 1, order * 2, 2))
    if name in ("C4h", "O"):
        w2 = RNG.normal(size=(3, 3, 3, order * 2, 2))
    image = keras.Input((5, 5, 5, 2))
    x = L.LiftingConv3D(2, 3, group, activation="relu", use_bias=False, name="lift")(image)
    x = L.GroupConv3D(2, w2.shape[0], group, use_bias=False, name="conv")(x)
    model = keras.Model(image, L.GroupPooling("max")(x))
    assert ke.import_filters(model, {"lift.kernel": w1, "conv.kernel": w2}, "groupy") == {"lift": 0.0, "conv": 0.0}
    volume = RNG.normal(size=(5, 5, 5, 2))
    features = np.maximum(correlate(volume[..., None, :], transformed(w1, matrices, 2)), 0)
    wanted = correlate(features, transformed(w2, matrices, 2)).max(axis=-2)
    found = keras.ops.convert_to_numpy(model(volume[None]))[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    if name == "C4h":  # its order is the group's own
        return
    layer = model.get_layer("conv")  # negative control: the elements in our order
    layer.kernel.assign(w2.reshape(layer.kernel.shape))
    assert np.abs(keras.ops.convert_to_numpy(model(volume[None]))[0] - wanted).max() > 0.1


def test_se3cnn():
    known = np.load(pathlib.Path(__file__).with_name("se3cnn.npz"))
    types = [" + ".join(f"{n}x{degree}" for n, degree in known[key]) for key in ("fields_in", "fields_out")]
    layer = L.SteerableConv3D(*types, 5, group="SO3", use_bias=False, dtype="float64")
    layer.build((None, 6, 6, 6, known["x"].shape[0]))
    assert ke.import_filters(layer, known["filters"], "se3cnn") < 1e-5
    before, after = se3cnn.change_of_channels(layer.in_type), se3cnn.change_of_channels(layer.out_type)
    np.testing.assert_allclose(before @ before.T, np.eye(len(before)), atol=1e-12)
    found = keras.ops.convert_to_numpy(layer((np.moveaxis(known["x"], 0, -1) @ before.T)[None]))[0] @ after
    wanted = np.moveaxis(known["y"], 0, -1)
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())
    with pytest.raises(ValueError, match="lie on the layer's basis"):
        ke.import_filters(layer, known["filters"][:, :, ::-1], "se3cnn")


HIGHEST_DEGREES = {"conservative": [0, 2, 4, 6], "compromise": [0, 3, 5, 7], "sfcnn": [0, 4, 6, 8]}  # shell by shell


@pytest.mark.parametrize("mode", HIGHEST_DEGREES)
@pytest.mark.parametrize(("size", "border_dist"), [(5, 0.0), (5, 0.5), (7, 1.0), (4, 0.5)])
def test_border_dist_of_se3cnn(size, border_dist, mode):
    """Its gaussian_window_wrapper(mode, border_dist, sigma=0.6): Gaussian shells at the radii linspace(0, k // 2 -
    border_dist, k // 2 + 1), and the highest degree by the number of the shell, not by its radius."""
    count = size // 2 + 1
    radii, highest = np.linspace(0, size // 2 - border_dist, count), HIGHEST_DEGREES[mode][:count]
    rings = Rings(ring_radii=radii.tolist(), frequency_cutoff=list(highest))
    points = grid.centered_points((size,) * 3)
    windows = np.exp(-0.5 * ((np.linalg.norm(points, axis=1) - radii[:, None]) / 0.6) ** 2)
    for degree in range(3):
        harmonics = ke.groups.spherical_harmonics(degree, points)
        wanted = [(window[:, None] * harmonics).ravel() for window in windows]
        wanted = np.stack([row for row, most in zip(wanted, highest, strict=True) if degree <= most])
        found = irrep_kernels("SO3", "0", str(degree), (size,) * 3, "steerable", rings).reshape(-1, wanted.shape[1])
        assert np.linalg.matrix_rank(wanted, tol=1e-6) == len(found)
        rest = wanted - (wanted @ found.T) @ found
        np.testing.assert_allclose(rest, 0, atol=1e-10 * np.linalg.norm(wanted))
        if border_dist:
            wide = Rings(ring_radii=np.linspace(0, size // 2, count).tolist(), frequency_cutoff=list(highest))
            other = irrep_kernels("SO3", "0", str(degree), (size,) * 3, "steerable", wide)
            other = other.reshape(-1, wanted.shape[1])
            assert np.linalg.norm(wanted - (wanted @ other.T) @ other) > 1e-2 * np.linalg.norm(wanted)


def rings_of_harmonic_networks(size, order, rings, samples=101):
    """Formulae of that library: points of a ring spread over the pixels, and one row of their Fourier transform."""
    angles = 2 * np.pi * np.arange(samples) / samples
    centers = np.arange(size) + 0.5 - size / 2
    rows, columns = np.meshgrid(centers, centers, indexing="ij")
    found = []
    for radius in np.linspace(order != 0, rings - 0.5, rings):
        squares = (radius * -np.sin(angles)[:, None] - rows.ravel()) ** 2
        squares = squares + (radius * np.cos(angles)[:, None] - columns.ravel()) ** 2
        weights = np.exp(-0.5 * squares / 0.5**2)
        weights /= weights.sum(axis=1, keepdims=True)
        found.append(np.exp(-1j * order * angles) @ weights)
    return np.stack(found, axis=-1).reshape(size, size, rings)


def filters_of_harmonic_networks(size, orders, rings, fields, outputs):
    found = []
    for order in range(orders):
        profile, beta = RNG.normal(size=(rings, fields, outputs)), RNG.uniform(0, 2 * np.pi, size=(fields, outputs))
        w = rings_of_harmonic_networks(size, order, rings) @ profile.reshape(rings, -1)
        w = w.reshape(size, size, fields, outputs)
        cos = np.cos(beta) * w.real + np.sin(beta) * w.imag
        sin = -np.sin(beta) * w.real + np.cos(beta) * w.imag
        found.append(np.stack([cos, sin]))
    return np.stack(found)


def their_convolution(x, filters, orders_out):
    """`(H, W, M + 1, 2, C)` to `(H', W', orders, 2, F)`, an image with one part: sign(n - m) on the imaginary part."""
    size = filters.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))
    found = []
    for n in range(orders_out):
        real = imaginary = 0.0
        for m in range(x.shape[2]):
            (w_r, w_i), sign = filters[abs(n - m)], np.sign(n - m)
            parts = [np.einsum("hwcuv,uvcf->hwf", windows[:, :, m, 0], w) for w in (w_r, w_i)]
            if x.shape[3] == 1:
                real, imaginary = real + parts[0], imaginary + parts[1]
                continue
            other = [np.einsum("hwcuv,uvcf->hwf", windows[:, :, m, 1], w) for w in (w_r, w_i)]
            real, imaginary = real + parts[0] - sign * other[1], imaginary + sign * parts[1] + other[0]
        found.append(np.stack([real, imaginary], axis=2))
    return np.stack(found, axis=2)


def test_harmonic_networks():
    w1, w2 = filters_of_harmonic_networks(7, 2, 3, 2, 3), filters_of_harmonic_networks(5, 2, 2, 3, 2)
    image = keras.Input((15, 15, 2))
    x = L.HarmonicConv2D(3, 7, max_order=1, num_rings=3, name="first")(image)
    model = keras.Model(image, L.HarmonicConv2D(2, 5, max_order=1, num_rings=2, name="second")(x))
    losses = ke.import_filters(model, {"first.kernel": w1, "second.kernel": w2}, "harmonic")
    assert max(losses.values()) < 1e-6
    data = RNG.normal(size=(15, 15, 2))
    wanted = their_convolution(their_convolution(data[:, :, None, None], w1, 2), w2, 2)
    wanted = wanted * np.array([1.0, -1.0])[:, None]  # conjugates
    found = keras.ops.convert_to_numpy(model(data[None]))[0]
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())
    layer = model.get_layer("second")
    with pytest.raises(ValueError, match="num_rings of at most"):
        ke.import_filters(layer, RNG.normal(size=w2.shape), "harmonic")
    with pytest.raises(ValueError, match="real and imaginary part"):
        ke.import_filters(layer, w2[:1], "harmonic")


def test_what_does_not_fit():
    layer = L.LiftingConv3D(1, 3, "T")
    layer.build((None, 5, 5, 5, 1))
    with pytest.raises(ValueError, match="on O, Oh, D4h or the group of"):
        ke.import_filters(layer, np.zeros((3, 3, 3, 1, 1)), "groupy")
    layer = L.SteerableConv3D("1xA1", "1xT1", 3, group="O")
    layer.build((None, 5, 5, 5, 1))
    with pytest.raises(ValueError, match="SteerableConv3D on SO3"):
        ke.import_filters(layer, np.zeros((3, 1, 3, 3, 3)), "se3cnn")
