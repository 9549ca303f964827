import numpy as np
import pytest

from keras_equivariant import groups

NAMES = ["C1", "C2", "C3", "C4", "C8", "D1", "D2", "D3", "D4", "D6"]


@pytest.mark.parametrize("name", NAMES)
def test_axioms_hold(name):
    assert groups.check_axioms(name) == dict.fromkeys(("closure", "associativity", "identity", "inverse"), True)


def test_axioms_notice_a_broken_table():
    group = groups.from_generators("broken", [[[0, -1], [1, 0]]])
    group.cayley = group.cayley.copy()
    group.cayley[1, 2] = 1
    assert not all(groups.check_axioms(group).values())


@pytest.mark.parametrize("name", NAMES)
def test_table_is_the_matrix_product(name):
    group = groups.get(name)
    products = np.einsum("aij,bjk->abik", group.matrices, group.matrices)
    np.testing.assert_allclose(products, group.matrices[group.cayley], atol=1e-12)
    np.testing.assert_allclose(group.matrices[group.inverses], np.swapaxes(group.matrices, 1, 2), atol=1e-12)


def test_element_order_is_the_documented_one():
    d4 = groups.get("D4")
    np.testing.assert_array_equal(d4.matrices[1], [[0, -1], [1, 0]])  # a counter-clockwise quarter turn
    np.testing.assert_array_equal(d4.matrices[4], [[-1, 0], [0, 1]])  # left-right mirror
    assert d4.product(4, 1) == 5  # first the rotation, then the mirror
    assert d4.element_names[:2] == ("e", "r90")
    assert d4.element_names[5] == "m r90"


def test_aliases_and_identity_of_objects():
    assert groups.get("p4m") is groups.get("D4")
    assert groups.get("Z2") is groups.get("C1")
    assert groups.get(groups.get("p4")) is groups.get("C4")


def test_subgroups_and_cosets():
    d4 = groups.get("D4")
    assert d4.subgroup("C4") == (0, 1, 2, 3)
    assert d4.subgroup("D1") == (0, 4)
    assert d4.left_cosets("C4").tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    cosets = d4.left_cosets("D2")
    assert sorted(cosets.ravel()) == list(range(8))
    assert d4.generated_by(d4.generators) == tuple(range(8))


def test_grid_elements():
    assert groups.get("C8").grid_elements == (0, 2, 4, 6)
    assert groups.get("D4").grid_elements == tuple(range(8))
    assert groups.get("C3").grid_elements == (0,)


def test_own_group_from_generators():
    flips = groups.register(groups.from_generators("flips", [[[-1, 0], [0, 1]], [[1, 0], [0, -1]]]))
    assert groups.get("flips") is flips
    assert flips.order == 4
    assert all(groups.check_axioms("flips").values())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: groups.get("C4x"), "Received: 'C4x'. Did you mean \"C4\""),
        (lambda: groups.get("p4n"), "Did you mean"),
        (lambda: groups.get("C0"), "must be"),
        (lambda: groups.get(4), "for grouped convolution use `groups=4`"),
        (lambda: groups.get(np.zeros((2, 9, 9, 1))), r"Received: an array of shape \(2, 9, 9, 1\)$"),
        (lambda: groups.cyclic(100_000), "from 1 to"),
        (lambda: groups.cyclic(2.5), "must be an integer"),
        (lambda: groups.get("D4").subgroup("C8"), "must be contained in D4"),
        (lambda: groups.get("D4").subgroup([0, 1]), "closed under products"),
        (lambda: groups.from_generators("x", [[[1, 1], [0, 1]]]), "orthogonal"),
        (lambda: groups.from_generators("x", [[[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]]), "finite group"),
        (lambda: groups.FiniteGroup("x", [np.eye(2), [[0, -1], [1, 0]]]), "closed under products"),
        (lambda: groups.FiniteGroup("x", [-np.eye(2)]), "Element 0"),
        (lambda: groups.register(groups.from_generators("C4", [[[0, -1], [1, 0]]])), "must be unique"),
        (lambda: groups.get("C4").index([[1, 0], [0, -1]]), "must belong"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
