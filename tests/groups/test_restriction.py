import numpy as np
import pytest

from keras_equivariant import groups
from keras_equivariant.groups import FieldType, restriction

RNG = np.random.default_rng(3)
PAIRS = [
    ("2xregular + E", "D8", "D4"),
    ("quotient(C2) + 2x3 + 4- + induced(C8,1)", "D8", "D4"),
    ("regular + 3xE + 2xB2 + quotient(m) + A1", "D4", "D1"),
    ("regular + 2xE", "D4", "C4"),
    ("2xregular + quotient(mr90) + E", "D4", "D2"),
    ("0+ + 0- + 2x1 + 2x4", "O2", "SO2"),
    ("0+ + 2x0- + 2x1 + 2 + 3x4", "O2", "C4"),
    ("0+ + 0- + 2x1 + 2 + 4 + 5", "O2", "D4"),
    ("0 + 2x1 + 2 + 3x3 + 4", "SO2", "C3"),
    ("0 + 2x1 + 2 + 3", "SO2", "C1"),
    ("2xregular + 3x5 + 8-", "D16", "C16"),
    ("0 + 2x1", "SO2", "SO2"),
    ("0- + 2x1", "O2", "O2"),
    ("0- + 0+", "O2", "SO2"),
    ("regular + 1", "C8", "C2"),
    ("regular + E", "D4", "D4"),
]


def points(group):
    group = groups.get(group)
    if not isinstance(group, groups.ContinuousGroup):
        return group.matrices
    angles = RNG.uniform(0, 2 * np.pi, 5)
    rotations = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    return np.concatenate([rotations, np.diag([-1.0, 1.0]) @ rotations]) if group.mirrors else rotations


def apply(found, old_type, x):
    """The channels x of the old type as those of the new one."""
    parts = []
    for block, maps in zip(old_type.blocks, found.maps, strict=True):
        fields = x[block.start : block.stop].reshape(block.dim, block.multiplicity)
        for copies in maps:
            # (new dim, copies, multiplicity): the new block's fields are copy after copy
            parts.append(np.einsum("cnd,dm->ncm", copies, fields).reshape(-1))
    return np.concatenate(parts)


@pytest.mark.parametrize(("text", "group", "subgroup"), PAIRS)
def test_restricted_channels_move_as_the_new_type_says(text, group, subgroup):
    old = FieldType.parse(text, group)
    found = restriction(old, subgroup)
    new = found.out_type
    assert new.group == groups.get(subgroup)
    assert new.size == old.size
    x = RNG.normal(size=old.size)
    for matrix in points(subgroup):
        np.testing.assert_allclose(
            apply(found, old, old.transform(x, matrix)), new.transform(apply(found, old, x), matrix), atol=1e-12
        )
    change = np.stack([apply(found, old, column) for column in np.eye(old.size)], axis=1)
    np.testing.assert_allclose(change @ change.T, np.eye(old.size), atol=1e-12)  # nothing is lost
    if {name for _, name in new.terms} - {"0", "0+"}:  # else nothing moves
        moved = new.transform(apply(found, old, x), points(subgroup)[1])
        assert not np.allclose(apply(found, old, x), moved)


@pytest.mark.parametrize(
    ("text", "group", "subgroup", "expected"),
    [
        ("2xregular", "D4", "C4", "4xregular"),
        ("regular", "D4", "C1", "8x0"),
        ("regular", "D8", "D4", "2xregular"),
        ("quotient(C4)", "D4", "C4", "2x0"),
        ("quotient(C4)", "D4", "D1", "1xregular"),
        ("quotient(m)", "D4", "D1", "2x0+ + 1xregular"),
        ("4", "O2", "C4", "2x0"),
        ("4", "O2", "D4", "1x0+ + 1x0-"),
        ("3xE", "D4", "D1", "3x0+ + 3x0-"),
        ("3 + 4", "SO2", "C3", "2x0 + 1x1"),
        ("0-", "O2", "SO2", "1x0"),
        ("5", "O2", "SO2", "1x5"),
    ],
)
def test_known_restrictions(text, group, subgroup, expected):
    assert str(restriction(FieldType.parse(text, group), subgroup).out_type) == expected


@pytest.mark.parametrize(("text", "group"), [("2xregular + quotient(m)", "D4"), ("regular", "D8")])
def test_permutations_stay_permutations(text, group):
    for subgroup in ("C1", "C2", "C4", "D1", "D2"):
        found = restriction(FieldType.parse(text, group), subgroup)
        assert found.out_type.permutation
        assert all(np.isin(copies, (0, 1)).all() for maps in found.maps for copies in maps)


@pytest.mark.parametrize(
    ("group", "subgroup"), [("C4", "D4"), ("D4", "C3"), ("SO2", "O2"), ("SO2", "D4"), ("C4", "SO2"), ("D8", "D16")]
)
def test_subgroups_must_be_contained(group, subgroup):
    with pytest.raises(ValueError, match="`subgroup` must be contained in"):
        restriction(FieldType.parse("trivial + 1", group), subgroup)


def test_restriction_in_two_steps_is_one_of_the_same_type():
    whole = FieldType.parse("2xregular + 3 + 4+", "D8")
    steps = restriction(restriction(whole, "D4").out_type, "C4").out_type
    once = restriction(whole, "C4").out_type

    def content(field_type):
        total = {}
        for block in field_type.blocks:
            for label, copies in groups.decompose(block.representation).multiplicities.items():
                total[label] = total.get(label, 0) + copies * block.multiplicity
        return total

    assert content(steps) == content(once)


def test_restriction_to_own_groups():
    axis = groups.from_generators("own_axis", [[[1, 0], [0, -1]]])  # an up-down flip
    diagonal = groups.from_generators("own_diagonal", [[[0, 1], [1, 0]]])
    for subgroup in (axis, diagonal):
        old = FieldType.parse("regular + 2xE + B1 + B2", "D4")
        found = restriction(old, subgroup)
        x = RNG.normal(size=old.size)
        for matrix in subgroup.matrices:
            np.testing.assert_allclose(
                apply(found, old, old.transform(x, matrix)),
                found.out_type.transform(apply(found, old, x), matrix),
                atol=1e-12,
            )
    assert str(restriction(FieldType.parse("B1 + B2", "D4"), diagonal).out_type) == "1x0- + 1x0+"
    # In space the elements of D_n have no place.
    half = groups.from_generators("own_half_turn", [np.diag([-1.0, -1.0, 1.0])])
    with pytest.raises(ValueError, match="must be contained"):
        restriction(FieldType.parse("regular", "D4"), half)
