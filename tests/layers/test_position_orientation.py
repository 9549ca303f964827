"""Convolutions on positions and orientations: exact on the grid's group, close between, smooth in the positions."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import FieldType, groups, layers
from keras_equivariant.dynamics import EnergyAndForces
from keras_equivariant.kernels import orientation_grid

pytestmark = pytest.mark.tensorflow
GRIDS = {  # how many orientations, and angles between them
    ("T", "C3_111"): (4, 2),
    ("O", "C4z"): (6, 3),
    ("O", "C3_111"): (8, 4),
    ("Oh", "C4v"): (6, 3),
    ("I", "f72"): (12, 4),
    ("I", "C3_111"): (20, 6),
    ("I", "C2z"): (30, 9),
}
COUNT = 7
RNG = np.random.default_rng(0)
CLOUDS = {
    "random": RNG.normal(size=(1, COUNT, 3)),
    "coincident": np.repeat(RNG.normal(size=(1, 4, 3)), 2, axis=1)[:, :COUNT],
    "apart": 50 * np.eye(COUNT)[None, :, :3],
}
F = RNG.normal(size=(1, COUNT, 5))


def network(group, subgroup, answer="trivial", values="2xtrivial + 1xT1", dtype="float64"):
    """Scalars and a vector on each point in, one answer for all points."""
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((COUNT, n), dtype=dtype) for n in (3, 5)] + [keras.Input((COUNT,), dtype="bool")]
    grid, options = f"3xquotient({subgroup})", {"group": group, "dtype": dtype}
    convolution = {**options, "radius": 2.5, "neighbors": COUNT, "kernel_units": (8,)}
    f = layers.SteerableDense(values, grid, **options)(inputs[1])
    x, f, mask = layers.PositionOrientationConv(grid, grid, activation="swish", **convolution)(
        [inputs[0], f, inputs[2]]
    )
    x, f, mask = layers.PositionOrientationBlock(grid, **convolution)([x, f, mask])
    f = layers.SteerableDense(grid, answer, **options)(f)
    return keras.Model(inputs, layers.SteerablePointPooling(answer, reduction="sum", **options)([x, f, mask]))


def run(model, x, f=F, mask=None):
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    f = np.repeat(f, len(x) // len(f), axis=0)
    return ops.convert_to_numpy(model([ops.convert_to_tensor(a) for a in (x, f, mask)]))


def rotated(x, group, count=6):
    """Positions moved by some elements of a group, the values with their vector, and the rotations."""
    matrices = groups.MotionSample(group, count).matrices[1:]
    vectors = [np.concatenate([F[..., :2], F[..., 2:] @ m[:3, :3].T], axis=-1) for m in matrices]
    return [(groups.move_points(x, m), f, m[:3, :3]) for m, f in zip(matrices, vectors, strict=True)]


@pytest.mark.parametrize(("group", "subgroup"), GRIDS)
def test_the_orientations_are_those_of_a_solid(group, subgroup):
    field_type = FieldType.parse(f"2xquotient({subgroup})", group)
    grid = orientation_grid(field_type)
    assert (len(grid.directions), len(grid.angles)) == GRIDS[group, subgroup]
    np.testing.assert_allclose(np.linalg.norm(grid.directions, axis=1), 1)
    matrices = groups.get(group).matrices
    moved = np.einsum("gij,aj->gai", matrices, grid.directions)
    permuted = np.stack([field_type.blocks[0].representation.matrices[g] @ m for g, m in enumerate(moved)])
    np.testing.assert_allclose(permuted, np.broadcast_to(grid.directions, moved.shape), atol=1e-12)


@pytest.mark.parametrize(("group", "subgroup"), [("O", "C4z"), ("I", "f72")])
def test_exact_for_the_group_of_the_grid(group, subgroup):
    scalar, vector = (network(group, subgroup, answer) for answer in ("trivial", "T1"))
    rng = np.random.default_rng(1)
    for x in CLOUDS.values():
        mask, order, control = rng.random((1, COUNT)) < 0.8, rng.permutation(COUNT), 0.0
        energy, dipole = run(scalar, x, mask=mask), run(vector, x, mask=mask)
        for moved, f, matrix in rotated(x, group, 3):
            there = moved[:, order], f[:, order], mask[:, order]
            np.testing.assert_allclose(run(scalar, *there), energy, atol=1e-10)
            answer = run(vector, *there)
            np.testing.assert_allclose(answer, dipole @ matrix.T, atol=1e-10)
            control = max(control, np.abs(answer - dipole).max())
        assert control > 1e-2 * np.abs(dipole).max()


def test_close_for_other_rotations_only():
    model, x = network("I", "f72"), np.random.default_rng(2).normal(size=(6, COUNT, 3))
    y = run(model, x, np.repeat(F, 6, axis=0))
    off = [run(model, moved, np.repeat(f, 6, axis=0)) - y for moved, f, _ in rotated(x, "SO3", 6)]
    assert 1e-6 < np.sqrt(np.mean(np.square(off))) / y.std() < 0.5


def test_forces_are_central_differences():
    model, step = network("O", "C4z"), 3e-6
    for name in ("random", "coincident"):
        x = CLOUDS[name]
        parts = [ops.convert_to_tensor(a) for a in (x, F, np.ones((1, COUNT), bool))]
        exact = ops.convert_to_numpy(EnergyAndForces(model, dtype="float64")(parts)["forces"])
        nudges = step * np.eye(x.size).reshape(-1, *x.shape[1:])
        ahead, behind = (run(model, x + sign * nudges) for sign in (1, -1))
        expected = ((behind - ahead) / (2 * step)).reshape(x.shape)
        np.testing.assert_allclose(exact, expected, atol=1e-8 * np.abs(exact).max())


def test_a_network_is_certified_and_other_types_are_refused():
    report = ke.certify(network("I", "f72", "T1"), dtypes=("float64",))
    assert report.exact and report.group == "I" and min(e.control for e in report.elements[1:]) > 1e-2
    for wrong, group in (("2xregular", "O"), ("2xtrivial", "O"), ("1x1", "SO3"), ("1xquotient(C4z) + 1xA1", "O")):
        with pytest.raises(ValueError, match="that leaves one axis alone"):
            layers.PositionOrientationBlock(wrong, group)
    with pytest.raises(ValueError, match="the same orientations.*SteerableDense between"):
        layers.PositionOrientationConv("2xquotient(C4z)", "2xquotient(C3_111)", "O")
    layers.SteerableDense("2xquotient(C4z)", "2xquotient(C3_111)", "O")
