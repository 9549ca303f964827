"""What every group answers, finite, continuous or Lie, and that a name stands for one object."""

import re

import keras
import numpy as np
import pytest

from keras_equivariant import groups, layers
from keras_equivariant.groups import grid

FLIPS = groups.from_generators("protocol_flips", [[[-1, 0], [0, 1]], [[1, 0], [0, -1]]])
SHEAR = groups.LieGroup(
    "protocol_shear",
    2,
    algebra=1,
    exp=lambda a: np.eye(3) + a[..., None] * np.eye(3)[:, [2, 0, 1]] * np.eye(3)[0][:, None],
    log=lambda m: m[..., 0, 1:2],
    lift=lambda x: (x[..., :1], x[..., 1:]),
)
FINITE = ["C1", "C4", "C5", "D4", "D8", "O", "Ih", "C8z", "D3_111", FLIPS]
CONTINUOUS = ["SO2", "O2", "SO3", "O3"]
LIE = ["T1", "T2", "Tx", "Rx", "RxSO2", "SE2", "T3", "SE3", "Trivial2", SHEAR]
ALL = [*FINITE, *CONTINUOUS, *LIE, groups.LieSample("SE2"), groups.LieSample("SO3")]
ALL += [groups.MotionSample(name) for name in ("O3", "D4", "I")]


@pytest.mark.parametrize("name", ALL, ids=lambda group: getattr(group, "name", group))
def test_every_group_answers(name):
    group = groups.get(name)
    assert isinstance(group, groups.Group) and groups.get(group) is group
    assert group.is_finite == np.isfinite(group.order)
    assert group.finite.is_finite and group.finite.finite is group.finite and group.finite.on_grid == group.on_grid
    width = group.dimension if group.orthogonal else group.dimension + 1
    assert group.matrices.shape[1:] == (width, width)
    assert group.mirrors == bool((np.linalg.det(group.on_grid.matrices) < 0).any()) or not group.on_grid.mirrors
    assert group.contains(group.on_grid) and all(group.contains(matrix) for matrix in group.matrices)
    assert all(grid.is_signed_permutation(matrix) for matrix in group.on_grid.matrices)
    assert not group.contains(2 * np.eye(group.dimension)) or group.name in ("Rx", "RxSO2")
    assert not group.contains(np.eye(group.dimension + 2))


@pytest.mark.parametrize("name", FINITE, ids=lambda group: getattr(group, "name", group))
def test_mirrors_and_grids_of_finite_groups(name):
    group = groups.get(name)
    assert group.mirrors == bool((np.linalg.det(group.matrices) < 0).any())
    kept = [matrix for matrix in group.matrices if grid.is_signed_permutation(matrix)]
    assert len(kept) == group.on_grid.order and all(group.on_grid.contains(matrix) for matrix in kept)
    sample = group.sample(3)
    np.testing.assert_array_equal(sample.matrices, group.matrices)
    assert sample.haar_weights.sum() == pytest.approx(1) and sample.order == group.order


def test_grids_have_names():
    found = {name: groups.get(name).on_grid for name in ("C8", "D8", "C6", "D3", "I", "Ih", "C8z", "SO2", "O3", "SE3")}
    names = {"C8": "C4", "D8": "D4", "C6": "C2", "D3": "D1", "I": "T", "Ih": "Th", "C8z": "C4z"}
    assert {name: group.name for name, group in found.items()} == {**names, "SO2": "C4", "O3": "Oh", "SE3": "O"}
    assert all(groups.get(group.name) is group for group in found.values())


CONTAINED = {
    ("D4", "C4"): True,
    ("C4", "D4"): False,
    ("D8", "C3"): False,
    ("SO2", "C7"): True,
    ("SO2", "D1"): False,
    ("O2", "SO2"): True,
    ("SO2", "O2"): False,
    ("SO3", "I"): True,
    ("SO3", "C4"): False,
    ("C4", "SO2"): False,
    ("SE2", "SO2"): True,
    ("SE2", "T2"): True,
    ("SE2", "C4"): True,
    ("SE2", "D4"): False,
    ("SE2", "O2"): False,
    ("T2", "Tx"): True,
    ("Tx", "T2"): False,
    ("T2", "C2"): False,
    ("RxSO2", "Rx"): True,
    ("SO2", "SE2"): False,
    ("O3", "SE3"): False,
    ("SE3", "T2"): False,
}


@pytest.mark.parametrize(("pair", "expected"), CONTAINED.items(), ids=str)
def test_contains(pair, expected):
    group, subgroup = map(groups.get, pair)
    assert group.contains(subgroup) is expected and groups.contains(*pair) is expected


def test_elements_of_lie_groups():
    for name in ("T2", "SE2", "SE3", "RxSO2", "SO2", "SO3"):
        group = groups.get(name)
        elements = group.matrix(group.random_logarithms(4))
        assert all(group.contains(matrix) for matrix in elements)
    stretched = np.diag([2.0, 1.0, 1.0])
    assert not any(groups.get(name).contains(stretched) for name in ("T2", "SE2", "RxSO2", "SO2"))
    moved = groups.get("T2").matrix([1.0, 0.0])
    assert groups.get("SE2").contains(moved) and not groups.get("SO2").contains(moved)


@pytest.mark.parametrize("name", ["SE2", "T3", "Rx"])
def test_no_mean_over_a_group_without_end(name):
    with pytest.raises(ValueError, match=f"compact. Received: sample\\(2\\) of {name}"):
        groups.get(name).sample(2)


@pytest.mark.parametrize("name", ["SO2", "SO(3)", "T2", "Tx", "se(2)", "SE3", "RxSO2", "Trivial1"])
def test_one_object_for_a_name(name):
    group = groups.get(name)
    assert groups.lie_group(name) is group and groups.get(group.name) is group and groups.is_lie_name(name)
    assert group.is_lie and groups.lie_group(group) is group


@pytest.mark.parametrize("name", ["C4", "p4m", "SO2", "O3", "Oh", "Z3"])
def test_orthogonal_groups(name):
    assert groups.orthogonal_group(name) is groups.get(name) and groups.get(name).orthogonal


def test_rotations_move_points_and_fields():
    group = groups.get("SO2")
    quarter = group.matrix([np.pi / 2])
    np.testing.assert_allclose(groups.irrep(group, 1).rho(quarter[None, :2, :2])[0], quarter[:2, :2], atol=1e-15)
    assert layers.LieLift("SO2").group is layers.SteerableConv2D("1x0", "1x1", 3, group="SO2").group is group


@pytest.mark.parametrize(
    "make",
    [
        lambda group: groups.orthogonal_group(group),
        lambda group: groups.irreps(group, 2),
        lambda group: groups.FieldType.parse("2x0", group),
        lambda group: groups.regular(group),
        lambda group: layers.GroupConv2D(4, 3, group=group),
        lambda group: layers.SteerableConv2D("1x0", "1x0", 3, group=group),
        lambda group: layers.MaxPooling2D(group=group),
        lambda group: layers.GroupPooling("max", group=group),
    ],
)
def test_groups_of_points_are_refused_on_grids(make):
    with pytest.raises(ValueError, match="Received: 'SE2'; layers on points take it") as error:
        make("SE2")
    assert str(error.value).endswith('use its rotations, "SO2", or so many of them, "C8"')
    layers.SteerableConv2D("1x0", "1x0", 3, group="SO2")  # the remedies
    layers.LiftingConv2D(4, 3, group="C8")
    layers.LieConv(4, group="SE2")


@pytest.mark.parametrize(
    ("group", "remedies"), [("T2", ["Z2"]), ("T3", ["Z3"]), ("SE3", ["O"]), ("SE2", ["C8"]), ("SQ", []), ("T1", [])]
)
def test_groups_that_are_named_in_place_of_those_of_points_make_convolutions(group, remedies):
    rank = 3 if group.endswith("3") else 2
    make = layers.LiftingConv3D if rank == 3 else layers.LiftingConv2D
    with pytest.raises(ValueError, match="layers on points take it") as error:
        make(2, 3, group)
    named = re.findall('"([A-Za-z0-9]+)"', str(error.value).split("layers on points take it")[1])
    assert named[-1:] == remedies
    for name in remedies:
        make(2, 3, name)


@pytest.mark.parametrize(("group", "remedy"), [("O2", "SE2"), ("O3", "SE3"), ("C4", "SE2"), ("Dinfh", "SE3")])
@pytest.mark.parametrize("make", [layers.LieLift, lambda name: layers.LieConv(4, name)], ids=["lift", "conv"])
def test_groups_of_points_that_are_named_in_place_of_those_with_mirrors(make, group, remedy):
    with pytest.raises(ValueError, match=f'Use "{remedy}", which holds its rotations') as error:
        make(group)
    assert ("without its mirrors" in str(error.value)) == groups.get(group).mirrors
    make(remedy)


@pytest.mark.parametrize("group", ["O3", "C4", "SO3", "T3", "nothing"])
def test_frames_are_of_motions(group):
    network = keras.layers.Dense(1)
    with pytest.raises(ValueError, match='must be "SE2" or "SE3"') as error:
        layers.FrameAveraging(network, group)
    if "use LieLift" in str(error.value):
        layers.LieLift(group)
    layers.FrameAveraging(network, "SE(3)")


@pytest.mark.parametrize("name", ["C4", "O2", "Oh"])
def test_groups_without_lifts_are_refused_on_points(name):
    with pytest.raises(ValueError, match=f"Received: '{name}'; layers on images and volumes take it"):
        layers.LieLift(name)
    assert not groups.is_lie_name(name)


@pytest.mark.parametrize(
    "group",
    [
        groups.FiniteGroup("SE2", np.eye(2)[None]),
        groups.FiniteGroup("C7", np.eye(2)[None]),
        groups.FiniteGroup("so(3)", np.eye(3)[None]),
        groups.LieGroup("D4", 2, rotates=True),
        groups.LieGroup("p4m", 2, rotates=True),
    ],
)
def test_a_name_cannot_be_taken_twice(group):
    with pytest.raises(ValueError, match="must be unique"):
        groups.register(group)


def test_what_cannot_be_registered():
    for group in ("C4", groups.get("SO2"), groups.LieSample("SE2"), None):
        with pytest.raises(TypeError, match="FiniteGroup or a LieGroup"):
            groups.register(group)


@pytest.mark.parametrize(
    "options",
    [
        {"dimension": 2, "axes": (0,), "rotates": True},
        {"dimension": 1, "rotates": True},
        {"dimension": 3, "scales": True},
        {"dimension": 2, "axes": (0, 1), "rotates": True, "scales": True},
    ],
)
def test_attributes_that_make_no_built_in_group(options):
    with pytest.raises(ValueError, match="give `algebra`, `exp`, `log` and `lift`"):
        groups.LieGroup("some", **options)


def test_old_names_warn():
    rho, field_type = groups.irrep("D4", "1"), groups.FieldType.parse("2x1", "D4")
    rotation, se3 = groups.get("D4").matrices[1], groups.get("SE3")
    old = [
        (lambda: rho.at(rotation[None]), rho.rho(rotation[None])),
        (lambda: field_type.moved(np.arange(4.0), rotation), field_type.transform(np.arange(4.0), rotation)),
        (lambda: groups.get("D4").weights, groups.get("D4").haar_weights),
        (lambda: groups.get("O3").sample(2).weights, groups.get("O3").sample(2).haar_weights),
    ]
    for call, expected in old:
        with pytest.warns(DeprecationWarning, match="is now"):
            found = call()
        np.testing.assert_array_equal(found, expected)
    with pytest.warns(DeprecationWarning, match="stabilizer"):
        assert se3.turning == "sphere"
    assert se3.stabilizer is groups.get("SO3") and groups.get("SO3").stabilizer is groups.get("SO2")
    assert groups.get("SE2").stabilizer is groups.get("SO2") and groups.get("SO2").stabilizer is None
