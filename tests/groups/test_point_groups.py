"""The point groups of space: their elements, names and irreps."""

import numpy as np
import pytest

from keras_equivariant import FieldType, groups

CUBE = ("Z3", "Ci", "Cs", "C2z", "C2h", "D2z", "C2v", "D2h", "C4z", "S4", "C4h", "D4z", "C4v", "D2d", "D4h")
CUBE += ("C3_111", "S6_111", "D3_111", "C3v_111", "D3d_111", "T", "Th", "Td", "O", "Oh")
OTHERS = ("C3z", "C6h", "D3d", "D3h", "D4d", "S10", "C5v", "I", "Ih")
ORDERS = {"Z3": 1, "Ci": 2, "S4": 4, "C4h": 8, "D2d": 8, "D4h": 16, "T": 12, "Td": 24, "Th": 24, "O": 24, "Oh": 48}


def vector(group):
    return groups.Representation(group, "vector", group.matrices)


@pytest.mark.parametrize("name", CUBE + OTHERS)
def test_is_a_group_of_space(name):
    group = groups.get(name)
    assert group is groups.get(name.lower()) and group.dimension == 3
    assert all(groups.check_axioms(group).values())
    assert group.order == ORDERS.get(name, group.order)
    if name in CUBE:  # exact signed permutations, which the whole group of the cube contains
        assert np.isin(group.matrices, (-1.0, 0.0, 1.0)).all() and len(group.grid_elements) == group.order
        assert groups.contains("Oh", group)


def test_all_25_classes_of_subgroups_of_the_cube_have_a_name():
    # The 32 crystallographic point groups less the seven with axes of order 6, or 3 crossed by a mirror.
    def kinds(matrices):
        return tuple(sorted(zip(np.linalg.det(matrices).round(), matrices.trace(axis1=1, axis2=2), strict=True)))

    assert len({kinds(groups.get(name).matrices) for name in CUBE}) == len(CUBE) == 25


def test_order_of_elements_is_the_documented_one():
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])  # from x towards y
    np.testing.assert_array_equal(groups.get("C4z").matrices[1], quarter)
    np.testing.assert_array_equal(groups.get("C4h").matrices[4 + 1], np.diag([1, 1, -1]) @ quarter)
    np.testing.assert_array_equal(groups.get("C4v").matrices[4 + 1], np.diag([-1, 1, 1]) @ quarter)
    np.testing.assert_array_equal(groups.get("D4z").matrices[4 + 1], np.diag([1, -1, -1]) @ quarter)
    np.testing.assert_array_equal(groups.get("D4h").matrices[8 + 4 + 1], np.diag([1, -1, 1]) @ quarter)
    np.testing.assert_array_equal(groups.get("S4").matrices[1], np.diag([1, 1, -1]) @ quarter)
    third = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(groups.get("T").matrices[3 + 1], np.diag([1, -1, -1]) @ third)
    np.testing.assert_array_equal(groups.get("O").matrices[12 + 4], quarter @ groups.get("T").matrices[4])
    np.testing.assert_array_equal(groups.get("Oh").matrices[24 + 13], -groups.get("O").matrices[13])
    assert groups.get("O").element_names[13] == "z90 d120"
    golden = (1 + np.sqrt(5)) / 2
    fifth = groups.get("I").matrices[12]
    np.testing.assert_allclose(fifth @ [0, 1, golden], [0, 1, golden], atol=1e-12)
    assert np.trace(fifth) == pytest.approx(golden)


def test_a_quarter_turn_of_volumes_is_rot90():
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 3, 1))
    np.testing.assert_array_equal(groups.act(x, "C4z", 1, "image"), np.rot90(x, 1, axes=(1, 2)))
    assert not np.array_equal(groups.act(x, "C4z", 1, "image"), np.rot90(x, 3, axes=(1, 2)))


@pytest.mark.parametrize("name", CUBE + OTHERS)
def test_irreps_are_complete_and_labeled(name):
    group = groups.get(name)
    found = groups.irreps(group)
    for psi in found:
        products = psi.matrices[:, None] @ psi.matrices[None]
        np.testing.assert_allclose(products, psi.matrices[group.cayley], atol=1e-12)
        gram = psi.matrices @ psi.matrices.swapaxes(1, 2)
        np.testing.assert_allclose(gram, np.broadcast_to(np.eye(psi.dim), gram.shape), atol=1e-12)
    assert sum(psi.dim**2 // psi.endomorphism_dimension for psi in found) == group.order
    names = [psi.name for psi in found]
    assert len(set(names)) == len(names) and not any(n.startswith("irrep") for n in names)
    assert groups.irrep(group, "trivial") is found[0] and (found[0].matrices == 1).all()


def test_several_irreps_of_two_components_have_their_frequencies():
    assert [psi.name for psi in groups.irreps("D4d")] == ["A1", "A2", "B1", "B2", "E1", "E2", "E3"]
    assert {psi.name for psi in groups.irreps("D3h")} == {"A1p", "A1pp", "A2p", "A2pp", "Ep", "Epp"}
    assert {psi.name for psi in groups.irreps("C6h")} >= {"E1g", "E2g", "E1u", "E2u"}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("O", "T1"),
        ("Td", "T2"),
        ("Oh", "T1u"),
        ("Th", "Tu"),
        ("T", "T"),
        ("I", "T1"),
        ("Ih", "T1u"),
        ("D4h", "A2u Eu"),
        ("C4v", "A1 E"),
        ("C4h", "Au Eu"),
        ("D4z", "A2 E"),
        ("D2d", "B2 E"),
        ("D2h", "B1u B2u B3u"),
        ("D3h", "A2pp Ep"),
        ("D3d", "A2u Eu"),
        ("S4", "B E"),
        ("D4d", "B2 E1"),
        ("Ci", "Au Au Au"),
        ("Cs", "Ap Ap App"),
        ("C6h", "Au E1u"),
        ("D3_111", "A2 E"),
    ],
)
def test_vectors_have_the_labels_of_the_character_tables(name, parts):
    found = groups.decompose(vector(groups.get(name))).multiplicities
    assert sorted(label for label, count in found.items() for _ in range(count)) == sorted(parts.split())


def test_vectors_are_in_the_coordinates_of_the_volume():
    for name, label in (("O", "T1"), ("Oh", "T1u"), ("Td", "T2"), ("I", "T1")):
        np.testing.assert_array_equal(groups.irrep(name, label).matrices, groups.get(name).matrices)


def test_field_types_of_space():
    field_type = FieldType.parse("2xA1 + 3xT1 + 1xregular + 2xquotient(C4z)", "O")
    assert field_type.size == 2 + 9 + 24 + 12
    x = np.random.default_rng(0).normal(size=(1, 3, 3, 3, field_type.size))
    for g, h in ((3, 17), (13, 22)):
        both = groups.act(groups.act(x, "O", h, field_type), "O", g, field_type)
        np.testing.assert_allclose(both, groups.act(x, "O", groups.get("O").product(g, h), field_type), atol=1e-12)
    assert groups.decompose(groups.regular("O")).multiplicities == {"A1": 1, "A2": 1, "E": 2, "T1": 3, "T2": 3}
    assert str(groups.restriction(FieldType.parse("2xregular + 1xT1", "O"), "D4z").out_type) == "6xregular + 1xA2 + 1xE"
    with pytest.raises(ValueError, match="O has no frequencies.*use irreps for all of them"):
        FieldType.parse("irreps(2)", "O")


def test_names_of_space_and_plane_do_not_mix():
    assert groups.get("C4").dimension == groups.get("D4").dimension == 2
    with pytest.raises(ValueError, match="Did you mean"):
        groups.get("C4w")
    with pytest.raises(ValueError, match="must be unique"):
        groups.register(groups.from_generators("Oh", [np.diag([1, 1, -1])]))


def test_a_registered_group_of_space():
    third = np.roll(np.eye(3), 1, axis=0)
    group = groups.register(groups.from_generators("thirds", [third, -np.eye(3)]))
    assert groups.get("thirds") is group and group.order == 6 and groups.contains("Oh", group)
    assert [psi.name for psi in groups.irreps(group)] == [f"irrep({i})" for i in range(4)]
