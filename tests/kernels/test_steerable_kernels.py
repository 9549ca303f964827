import itertools

import numpy as np
import pytest
from null_space import band_limited_kernels, exact_kernels

from keras_equivariant import FieldType, groups
from keras_equivariant.groups import grid
from keras_equivariant.kernels import Rings, steerable_basis
from keras_equivariant.kernels.steerable import irrep_kernels

IRREPS = ("0+", "0-", "2+", "2-", "1")  # A1, A2, B1, B2, E
# Dimensions of the kernels between irreps of D4; rows are the outputs. Computed from characters by hand.
DIMENSIONS = {
    1: np.eye(5, dtype=int).tolist(),
    3: [[3, 0, 1, 1, 2], [0, 3, 1, 1, 2], [1, 1, 3, 0, 2], [1, 1, 0, 3, 2], [2, 2, 2, 2, 5]],
    5: [[6, 1, 3, 3, 6], [1, 6, 3, 3, 6], [3, 3, 6, 1, 6], [3, 3, 1, 6, 6], [6, 6, 6, 6, 13]],
    7: [[10, 3, 6, 6, 12], [3, 10, 6, 6, 12], [6, 6, 10, 3, 12], [6, 6, 3, 10, 12], [12, 12, 12, 12, 25]],
}
CAPSULES = (
    *("regular", "quotient(D1)", "quotient(C2)", "quotient(mr90)"),
    *("quotient(r180,mr90)", "quotient(D2)", "quotient(C4)", "0+"),
)
QUOTIENTS = [
    [72, 36, 36, 36, 18, 18, 18, 9],
    [36, 21, 18, 18, 9, 12, 9, 6],
    [36, 18, 20, 18, 10, 10, 10, 5],
    [36, 18, 18, 21, 12, 9, 9, 6],
    [18, 9, 10, 12, 8, 5, 5, 4],
    [18, 12, 10, 9, 5, 8, 5, 4],
    [18, 9, 10, 9, 5, 5, 6, 3],
    [9, 6, 5, 6, 4, 4, 3, 3],
]


def basis(group, source, target, size, name="auto", rings=None):
    types = (FieldType.parse(text, group) for text in (source, target))
    return steerable_basis(*types, (size, size) if isinstance(size, int) else size, name, rings)


def same_span(a, b):
    """Largest distance of the projectors on the rows of a and b."""
    project = [rows.T @ np.linalg.pinv(rows.T) for rows in (a, b)]
    return np.abs(project[0] - project[1]).max()


@pytest.mark.parametrize("size", DIMENSIONS)
def test_dimensions_between_irreps(size):
    found = [[basis_size(source, target, size) for source in IRREPS] for target in IRREPS]
    assert found == DIMENSIONS[size]


def basis_size(source, target, size):
    return len(irrep_kernels("D4", source, target, (size, size), "exact"))


def test_dimensions_between_quotients():
    assert [[basis("D4", a, b, 3).size for a in CAPSULES] for b in CAPSULES] == QUOTIENTS


@pytest.mark.parametrize(("size", "dimension"), [(1, 8), (3, 72), (5, 200)])
def test_dimensions_between_regular_types(size, dimension):
    assert basis("D4", "regular", "regular", size).size == dimension


@pytest.mark.parametrize("group", ["C4", "C8", "C16", "D8"])
def test_functions_per_filter_of_the_rings(group):
    order = groups.get(group).order
    found = [basis(group, "regular", "regular", size, "steerable").size / order for size in (3, 5, 7, 9)]
    assert found == [6, 11, 18, 31]


@pytest.mark.parametrize(("group", "size"), [("D4", 3), ("D4", 2), ("D4", 4), ("C4", 3), ("D2", (3, 5)), ("D1", 3)])
def test_exact_kernels_are_the_whole_space(group, size):
    size = (size, size) if isinstance(size, int) else size
    for source, target in itertools.product(groups.irreps(group), repeat=2):
        ours = irrep_kernels(group, source.name, target.name, size, "exact")
        ours = ours.reshape(len(ours), int(np.prod(ours.shape[1:])))
        oracle = exact_kernels(source, target, size)
        assert len(ours) == len(oracle)
        np.testing.assert_allclose(ours @ ours.T, np.eye(len(ours)), atol=1e-12)
        if len(ours):
            assert same_span(ours, oracle) < 1e-10


@pytest.mark.parametrize("size", [3, 5, 4])
@pytest.mark.parametrize("group", ["SO2", "O2", "C3", "C8", "D8"])
def test_band_limited_kernels_are_all_there_are(group, size):
    rings, own = Rings(), groups.get(group)
    matrices = own.matrices if isinstance(own, groups.FiniteGroup) else random_rotations(own)
    labels = [label for label in ("0", "0+", "0-", "1", "2", "3") if label_of(own, label)]
    for source, target in itertools.product(labels, repeat=2):
        ours = irrep_kernels(own, source, target, (size, size), "steerable", rings)
        oracle = band_limited_kernels(
            groups.irrep(own, source), groups.irrep(own, target), (size, size), rings, matrices
        )
        rank = np.linalg.matrix_rank(oracle, tol=1e-6)
        ours = ours.reshape(len(ours), int(np.prod(ours.shape[1:])))
        assert len(ours) == rank
        if rank:
            np.testing.assert_allclose(ours @ ours.T, np.eye(rank), atol=1e-10)
            assert same_span(ours, oracle) < 1e-8


def random_rotations(group):
    angles = np.random.default_rng(1).uniform(0, 360, 4)
    rotations = [groups.rotation_matrix(angle) for angle in angles]
    return np.array(rotations + ([np.diag([-1.0, 1.0]) @ rotations[0]] if group.mirrors else []))


def label_of(group, label):
    try:
        return groups.irrep(group, label)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("group", "source", "target", "per_frequency"),
    [
        ("SO2", "1", "2", 4),
        ("SO2", "0", "1", 2),
        ("SO2", "1", "0", 2),
        ("SO2", "0", "0", 1),
        ("O2", "1", "2", 2),
        ("O2", "0+", "1", 1),
        ("O2", "0+", "0+", 1),
    ],
)
def test_solutions_per_ring(group, source, target, per_frequency):
    # The center, and a ring of radius 4 that carries every frequency up to 4.
    rings = Rings(num_rings=2, frequency_cutoff=1.0, ring_width=1.0)
    ours = len(irrep_kernels(group, source, target, (9, 9), "steerable", rings))
    center = 1 if source == target == "0" or source == target == "0+" else 0
    assert ours == per_frequency + center


@pytest.mark.parametrize(("group", "name"), [("D4", "exact"), ("D4", "steerable"), ("C4", "steerable")])
def test_law_on_the_grid(group, name):
    group = groups.get(group)
    for source, target in itertools.product(groups.irreps(group), repeat=2):
        kernels = irrep_kernels(group, source.name, target.name, (5, 5), name)
        kernels = kernels.reshape(-1, 5, 5, target.dim, source.dim)
        for g, matrix in enumerate(group.matrices):
            moved = target.matrices[g] @ grid.permute_pixels(kernels, matrix) @ source.matrices[g].T
            np.testing.assert_allclose(moved, kernels, atol=1e-12)
    vectors = irrep_kernels(group, "1", "1", (5, 5), name).reshape(-1, 5, 5, 2, 2)
    assert np.abs(grid.permute_pixels(vectors, group.matrices[1]) - vectors).max() > 0.1  # the pixels alone do not


def test_cutoffs_and_profiles():
    sizes = [basis("SO2", "1", "1", 7, rings=Rings(frequency_cutoff=c)).size for c in (0, 1.0, "nyquist")]
    assert sizes == sorted(sizes) and len(set(sizes)) == 3
    few, many = (basis("SO2", "1", "1", 7, rings=Rings(num_rings=n)).size for n in (2, 6))
    assert few < many
    linear = irrep_kernels("SO2", "0", "0", (7, 7), "steerable", Rings(radial_profile="linear", num_rings=4))
    assert np.count_nonzero(np.abs(linear[0]) > 1e-12) == 1  # the hat on the center reaches no other pixel
    for wrong in ({"num_rings": 0}, {"ring_width": -1.0}, {"radial_profile": "box"}, {"frequency_cutoff": "none"}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
            Rings(**wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("SO2", "0", "1", 1), 'none from "1x0" to "1" on SO2; use a larger kernel'),
        (("SO2", "0", "9", 5), 'frequency_cutoff="nyquist"'),
        (("C8", "regular", "regular", 3, "exact"), 'use basis="steerable"'),
        (("D4", "regular", "regular", 3, "bilinear"), "`basis` must be one of"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        basis(*arguments)
