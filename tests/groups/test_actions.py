import itertools

import numpy as np
import pytest

from keras_equivariant import groups
from keras_equivariant.groups import grid

RNG = np.random.default_rng(0)
SHAPES = {
    "image": (2, 4, 6, 3),
    "regular": (2, 4, 6, 8, 3),
    "quotient(C4)": (2, 4, 6, 2, 3),
    "regular_vector": (2, 8, 3),
}


def test_directions_are_those_of_the_conventions():
    x = RNG.normal(size=(1, 5, 5, 2))
    np.testing.assert_array_equal(groups.act(x, "C4", 1, "image"), np.rot90(x, 1, axes=(1, 2)))
    np.testing.assert_array_equal(groups.act(x, "D4", 4, "image"), x[:, :, ::-1])
    np.testing.assert_array_equal(groups.act(x, "D4", 5, "image"), np.rot90(x, 1, axes=(1, 2))[:, :, ::-1])
    right = np.zeros((1, 21, 21, 1))
    right[0, 10, 18] = 1
    assert np.unravel_index(groups.rotate(right, 45).argmax(), (21, 21)) == (4, 16)  # right becomes upper right


@pytest.mark.parametrize("layout", SHAPES)
def test_action_is_a_homomorphism(layout):
    x, group = RNG.normal(size=SHAPES[layout]), groups.get("D4")
    for a in range(8):
        for b in range(8):
            once = groups.act(groups.act(x, group, b, layout), group, a, layout)
            np.testing.assert_array_equal(once, groups.act(x, group, group.product(a, b), layout))
    assert not np.array_equal(groups.act(x, group, 1, layout), groups.act(x, group, 3, layout))


def features(group):
    """Each layout with a shape of features on the group, on pixels and without."""
    d, n = group.dimension, group.order
    space = (4,) * d
    rotations = [("harmonic", (2, 4, 4, 3, 2, 2))] if d == 2 and not group.mirrors else []
    return rotations + [
        *(("image", (2, *space, 3)), ("invariant", (2, 5)), ("invariant", (2, *space, 2))),
        *(("regular", (2, *space, n, 3)), ("regular", (2, n, 3)), ("regular_vector", (2, n, 3))),
        *(("folded", (2, *space, 2 * n)), ("folded", (2, 2 * n))),
        *(
            (groups.FieldType.parse("2xregular", group), (2, *space, 2 * n)),
            (groups.FieldType.parse("2xregular", group), (2, 2 * n)),
        ),
        *(("positions", (2, d)), ("positions", (2, 5, d)), ("positions", (2, 5, d + d * d))),
        *(("vectors", (2, 2 * d)), ("vectors", (2, 5, d)), ("vectors", (2, 5, 2 * d))),
    ]


@pytest.mark.parametrize("name", ["C1", "C2", "C4", "C8", "D1", "D4", "D6", "Ci", "C4z", "C4v", "D2h", "T", "Td", "I"])
def test_every_layout_has_an_action(name):
    group = groups.get(name)
    elements = np.random.default_rng(0).choice(group.order, min(4, group.order), replace=False)
    for layout, shape in features(group):
        x = RNG.normal(size=shape)
        for a, b in itertools.product(elements, elements):
            product = group.product(a, b)
            moved = groups.act(x, name, product, layout)
            np.testing.assert_allclose(groups.act(x, group, group.matrices[product], layout), moved, atol=1e-12)
            if {a, b} <= set(group.grid_elements) or len(shape) < group.dimension + 2:
                twice = groups.act(groups.act(x, group, b, layout), group, a, layout)
                np.testing.assert_allclose(twice, moved, atol=1e-12, err_msg=f"{layout} {shape}")
        for element in ("r90", True, None, 1.0, [1], group.order, -1):
            with pytest.raises(ValueError, match=f"whole number from 0 to {group.order - 1} in {group.name}"):
                groups.act(x, name, element, layout)


@pytest.mark.parametrize("interpolation", grid.INTERPOLATIONS)
def test_interpolation_agrees_with_exact_elements(interpolation):
    x = RNG.normal(size=(2, 6, 6, 1))
    for element in range(8):
        resampled = grid.resample(x, groups.get("D4").matrices[element], interpolation)
        np.testing.assert_allclose(resampled, groups.act(x, "D4", element, "image"), atol=1e-12)


@pytest.mark.parametrize(("interpolation", "limit"), [("nearest", 0.5), ("linear", 0.03), ("cubic", 2e-3)])
def test_interpolation_of_a_smooth_function(interpolation, limit):
    centered = np.arange(33) - 16
    smooth = np.exp(-((centered[:, None] - 3) ** 2 + (centered[None] + 4) ** 2) / 18)[None, :, :, None]
    rotated = groups.rotate(smooth, 30, interpolation)
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    x, y = c * -4 - s * -3, s * -4 + c * -3  # the bump's center (x, y) = (-4, -3) rotated
    exact = np.exp(-((centered[:, None] + y) ** 2 + (centered[None] - x) ** 2) / 18)
    assert 1e-6 < np.abs(rotated[0, :, :, 0] - exact).max() < limit


def test_shapes_name_their_layouts():
    assert groups.infer_layout((2, 5, 5, 8, 3), "D4") == "regular"
    assert groups.infer_layout((2, 5, 5, 3), "D4") == "image"
    assert groups.infer_layout((2, 10), "D4") == "invariant"
    assert groups.infer_layout((2, 8, 10), "D4") == "regular_vector"
    with pytest.raises(ValueError, match="name it yourself"):
        groups.infer_layout((2, 5, 5, 7, 3), "D4")


@pytest.mark.parametrize(
    ("shape", "layout", "message"),
    [
        ((2, 5, 5), "image", "must have rank 4"),
        ((2, 5, 5, 4, 3), "regular", "8 entries on axis -2"),
        ((2, 5, 5, 3), "vector", "`layout` must be"),
    ],
)
def test_wrong_features_are_refused(shape, layout, message):
    with pytest.raises(ValueError, match=message):
        groups.act(np.zeros(shape), "D4", 1, layout)
    for element in ("r90", True, None, 1.0, [1]):
        with pytest.raises(ValueError, match="whole number from 0 to 7 in D4, or a matrix"):
            groups.act(np.zeros((2, 5, 5, 3)), "D4", element, "image")
    with pytest.raises(ValueError, match="from 0 to 7"):
        groups.act(np.zeros((1, 5, 5, 1)), "D4", 8, "image")
