"""Positions and vectors of points, moved by an element that is given by its number or as a matrix."""

import numpy as np
import pytest

from keras_equivariant import groups

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("layout", ["vectors", "positions"])
@pytest.mark.parametrize("shape", [(4, 3), (4, 5, 3), (4, 3, 3)])
def test_each_point_is_moved(layout, shape):
    x, group = RNG.normal(size=shape), groups.get("O")
    for element, matrix in enumerate(group.matrices):
        for given in (("O", element), (group, element), ("O", matrix)):
            np.testing.assert_allclose(groups.act(x, *given, layout), x @ matrix.T, atol=1e-12)


def test_several_vectors_lie_components_first():
    x, matrix = RNG.normal(size=(4, 5, 2, 3)), groups.get("C4").matrices[1]
    moved = groups.act(x.reshape(4, 5 * 2 * 3)[:, :6], "C4", 1, "vectors").reshape(4, 2, 3)
    np.testing.assert_allclose(moved, np.einsum("ij,bjc->bic", matrix, x[:, 0]), atol=1e-12)


@pytest.mark.parametrize(("group", "shape"), [("D4", (2, 4, 4, 2)), ("O", (2, 4, 4, 4, 3))])
def test_a_map_of_vectors_has_a_field_type(group, shape):
    with pytest.raises(ValueError, match=r"must be those of points.*use a field type"):
        groups.act(np.zeros(shape), group, 1, "vectors")
