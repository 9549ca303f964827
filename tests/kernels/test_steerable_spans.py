"""Whole kernels between field types, changes of basis included, against averages over the group and other layers."""

import numpy as np
import pytest
from keras import ops

from keras_equivariant import FieldType, groups
from keras_equivariant.groups import grid
from keras_equivariant.kernels import Rings, rotated_basis, steerable_basis
from keras_equivariant.ops.steerable import expand


def dense(group, source, target, size, name="auto", *sampling):
    """All kernels of the basis as rows, each `(pixels, in, out)` flattened."""
    found = steerable_basis(FieldType.parse(source, group), FieldType.parse(target, group), size, name, *sampling)
    units = ops.convert_to_tensor(np.eye(found.size), "float64")
    rows = ops.vectorized_map(lambda unit: expand(unit, found), units)
    return ops.convert_to_numpy(rows).reshape(found.size, -1)


def channel_matrices(field_type):
    """rho(g) on the channels of a type, for every element of its finite group."""
    unit = np.eye(field_type.size)
    return np.stack([field_type.transform(unit, matrix).T for matrix in field_type.group.matrices])


def averaging(group, source, target, size):
    """The projector K(x) -> mean over g of rho_out(g) K(g^-1 x) rho_in(g)^-1 on all kernels there are."""
    group = groups.get(group)
    rho_in, rho_out = (channel_matrices(FieldType.parse(text, group)) for text in (source, target))
    pixels, inner, outer = int(np.prod(size)), rho_in.shape[1], rho_out.shape[1]
    index = np.arange(pixels).reshape(size)
    mean = np.zeros((pixels, inner, outer, pixels, inner, outer))
    for g, matrix in enumerate(group.matrices):
        taken = grid.permute_pixels(index, matrix, first_axis=0).ravel()  # pixel p of the moved kernel is taken[p]
        for p in range(pixels):
            mean[p, :, :, taken[p]] += np.einsum("ij,ab->iajb", rho_in[g], rho_out[g]) / group.order
    return mean.reshape(pixels * inner * outer, -1)


def projector(rows):
    basis = np.linalg.qr(rows.T)[0]
    return basis @ basis.T


def group_convolution_kernels(group, size, name):
    """The kernels of GroupConv2D between single regular fields, one row for each of its coefficients."""
    group = groups.get(group)
    functions = rotated_basis(group, size, name).basis  # (element, D, pixels)
    order, number, pixels = functions.shape
    rows = np.zeros((number, order, pixels, order, order))
    for s in range(order):
        for u in range(order):
            rows[:, u, :, group.product(s, u), s] = functions[s]
    return rows.reshape(number * order, -1)


@pytest.mark.parametrize(
    ("group", "source", "target", "size"),
    [
        ("D4", "regular", "regular", (1, 1)),
        ("D4", "regular", "regular", (3, 3)),
        ("D4", "regular", "quotient(m) + 2xE", (2, 2)),
        ("D4", "2xE + quotient(mr90)", "A2 + 2xB1 + E", (4, 4)),
        ("D4", "induced(C4,1) + A1", "induced(C4,1) + E", (3, 3)),
        ("D4", "quotient(r180) + A1", "quotient(C4) + quotient(m)", (5, 5)),
        ("C4", "regular + 2x1", "2xregular + 1", (3, 3)),
        ("C4", "2x0 + 1 + 2", "regular", (2, 2)),
        ("D2", "regular + 1+ + 0-", "regular + 1-", (3, 5)),
        ("D2", "regular", "irreps", (2, 3)),
        ("C2", "2xregular + 1", "regular", (2, 5)),
        ("D1", "regular + 2x0-", "regular + 0+", (3, 2)),
        ("C1", "2x0", "3x0", (2, 3)),
    ],
)
def test_exact_bases_span_what_averaging_over_the_group_keeps(group, source, target, size):
    rows, expected = dense(group, source, target, size, "exact"), averaging(group, source, target, size)
    assert len(rows) == round(np.trace(expected))
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)
    np.testing.assert_allclose(rows.T @ rows, expected, atol=1e-12)  # both orthogonal: the same space
    if group != "C1":
        assert np.abs(rows.T @ rows - np.eye(rows.shape[1])).max() > 0.1  # not every kernel is steerable


@pytest.mark.parametrize("rings", [Rings(), Rings(frequency_cutoff="nyquist"), Rings(num_rings=2, ring_width=0.8)])
@pytest.mark.parametrize(("group", "size"), [("D4", (5, 5)), ("C4", (4, 4)), ("D2", (3, 5))])
def test_band_limited_kernels_are_among_the_exact_ones(group, size, rings):
    types = "regular", "irreps"
    rows, all_of_them = dense(group, *types, size, "steerable", rings), averaging(group, *types, size)
    np.testing.assert_allclose(rows @ all_of_them, rows, atol=1e-12)
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)
    assert len(rows) < np.trace(all_of_them)


@pytest.mark.parametrize("group", ["C2", "C4", "D1", "D2", "D4"])
@pytest.mark.parametrize("size", [(2, 2), (3, 3)])
def test_exact_kernels_between_regular_types_are_those_of_the_group_convolution(group, size):
    ours, theirs = dense(group, "regular", "regular", size, "exact"), group_convolution_kernels(group, size, "exact")
    assert len(ours) == len(theirs) == size[0] ** 2 * groups.get(group).order
    np.testing.assert_allclose(projector(ours), projector(theirs), atol=1e-10)


@pytest.mark.parametrize(
    ("group", "size"), [("C3", 3), ("C4", 3), ("C4", 5), ("C8", 3), ("D4", 3), ("D3", 5), ("C6", 4)]
)
def test_band_limited_kernels_between_regular_types_are_those_of_the_group_convolution(group, size):
    size = (size, size)
    ours = dense(group, "regular", "regular", size, "steerable")
    theirs = group_convolution_kernels(group, size, "steerable")
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(projector(ours), projector(theirs), atol=1e-10)


def test_band_limited_c4_spans_24_of_the_36_dimensions():
    few, all_of_them = (dense("C4", "regular", "regular", (3, 3), name) for name in ("steerable", "exact"))
    assert (len(few), len(all_of_them)) == (24, 36)
    np.testing.assert_allclose(few @ all_of_them.T @ all_of_them, few, atol=1e-12)


@pytest.mark.parametrize("name", ["SO2", "O2"])
def test_kernels_of_continuous_groups_are_exact_under_quarter_turns(name):
    group = groups.get(name)
    source = FieldType.parse("0 + 2x1 + 2" if name == "SO2" else "0+ + 0- + 1 + 2", group)
    target = FieldType.parse("2x1 + 3", group)
    rows = dense(group, str(source), str(target), (5, 5)).reshape(-1, 5, 5, source.size, target.size)
    for matrix in group.discrete(4).matrices:
        rho_in, rho_out = (t.transform(np.eye(t.size), matrix).T for t in (source, target))
        moved = np.einsum("ij,nhwja,ba->nhwib", rho_in, grid.permute_pixels(rows, matrix), rho_out)
        np.testing.assert_allclose(moved, rows, atol=1e-12)
    quarter = group.discrete(4).matrices[1]
    assert np.abs(grid.permute_pixels(rows, quarter) - rows).max() > 0.1


def test_frequencies_of_the_rings():
    def limits(size, **options):
        return [limit for _, _, limit in Rings(**options)((size, size))]

    assert [limits(k) for k in (1, 3, 5, 7, 9)] == [[0], [0, 2], [0, 2, 2], [0, 2, 3, 2], [0, 2, 3, 6, 2]]
    assert [sum(1 + 2 * m for m in limits(k)) for k in (1, 3, 5, 7, 9)] == [1, 6, 11, 18, 31]
    assert limits(7, frequency_cutoff="nyquist") == [0, 3, 6, 9]
    assert limits(7, frequency_cutoff=1) == [0, 1, 2, 3]
    assert limits(7, frequency_cutoff=0) == [0, 0, 0, 0]
    assert [radius for radius, _, _ in Rings()((4, 4))] == [0.5, 1.5]
    assert [width for _, width, _ in Rings()((7, 7))] == [0.6, 0.6, 0.6, 0.4]
    assert [width for _, width, _ in Rings(radial_profile="linear")((5, 5))] == [1, 1, 1]
    assert [width for _, width, _ in Rings(ring_width=0.9)((5, 5))] == [0.9] * 3
    assert np.allclose([radius for radius, _, _ in Rings(num_rings=4)((7, 7))], [0, 1, 2, 3])


def test_rings_one_by_one_and_those_of_escnn():
    found = Rings(ring_radii=[0, 1.5, 2.0], ring_width=[0.3, 0.6, 0.4], frequency_cutoff=[0, 1, 2])((5, 5))
    assert found == [(0, 0.3, 0), (1.5, 0.6, 1), (2, 0.4, 2)]
    # What escnn 1.0.11 computes: compute_basis_params(kernel_size) of R2Conv and R3Conv.
    assert Rings(ring_radii="escnn")((7, 7)) == [(0, 0.005, 0), (1, 0.6, 2), (2, 0.6, 3), (3, 0.4, 2)]
    assert Rings(ring_radii="escnn")((4, 4)) == [(0, 0.005, 0), (1, 0.4, 2)]
    assert Rings(ring_radii="escnn")((5, 5, 5)) == [(0, 0.005, 0), (1, 0.6, 2), (2, 0.4, 2)]
    wrong = [
        {"ring_radii": [-1.0]},
        {"ring_radii": "e2cnn"},
        {"ring_radii": [1.0], "num_rings": 1},
        {"ring_width": [0.5, 0.0]},
    ]
    for options in wrong:
        with pytest.raises(ValueError, match="Received: "):
            Rings(**options)
    with pytest.raises(ValueError, match="one for each ring, 3 here"):
        Rings(ring_width=[0.5, 0.5])((5, 5))


@pytest.mark.parametrize("profile", ["gaussian", "linear"])
def test_profiles_peak_on_their_ring(profile):
    rings, radius = Rings(radial_profile=profile), np.linspace(0, 4, 401)
    values = rings.profile(radius, 2.0, 0.5)
    assert radius[values.argmax()] == pytest.approx(2) and values.max() == 1 and values.min() >= 0
    np.testing.assert_allclose(values[:401], values[::-1], atol=1e-12)


def test_own_group_of_the_plane():
    group = groups.from_generators("span_flips", [[[1, 0], [0, -1]], [[0, -1], [1, 0]]])  # D4, up-down flip first
    assert len(dense(group, "regular", "regular", (3, 3), "exact")) == 72
    for types in (("regular + E", "irreps"), ("B1 + 2xE", "B2 + regular")):
        rows = dense(group, *types, (3, 3), "exact")
        np.testing.assert_allclose(rows.T @ rows, averaging(group, *types, (3, 3)), atol=1e-12)
    tilted = groups.from_generators("span_tilted", [[[np.cos(1), np.sin(1)], [np.sin(1), -np.cos(1)]]])
    rows = dense(tilted, "regular", "regular", (3, 3))  # no pixel permutation: band-limited
    np.testing.assert_allclose(
        projector(rows), projector(group_convolution_kernels(tilted, (3, 3), "steerable")), atol=1e-10
    )
