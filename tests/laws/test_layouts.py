"""Layouts: their spellings, axes, folded forms and restrictions, each against what is computed by hand."""

import numpy as np
import pytest

from keras_equivariant import groups
from keras_equivariant.groups import channels, layouts
from keras_equivariant.groups.intersection import intersection


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape)


SPELLINGS = {
    "image": (2, 4, 4, 3),
    "regular": (2, 4, 4, 8, 3),
    "quotient(C4)": (2, 4, 4, 2, 3),
    "invariant": (2, 3),
    "4x0+ + 2x1": (2, 4, 4, 8),
    "folded": (2, 4, 4, 16),
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_spelling_is_a_layout_with_one_text(text):
    layout = layouts.parse(text, "D4")
    assert str(layout) == text
    assert layouts.parse(layout, "D4") is layout
    x = draw(*SPELLINGS[text])
    np.testing.assert_array_equal(groups.act(x, "D4", 3, text), layout.act(x, "D4", 3))
    by_matrix = layout.act(x, "D4", groups.get("D4").matrices[3])
    np.testing.assert_array_equal(by_matrix, layout.act(x, "D4", 3))
    if text != "invariant":
        assert np.abs(by_matrix - x).max() > 0.1


def test_unknown_spellings_are_refused():
    with pytest.raises(ValueError, match='must be "image", "regular"'):
        layouts.parse("irregular", "D4")


def test_axes():
    assert layouts.parse("regular", "D4").axes((2, 5, 6, 8, 3)) == ((1, 2), (3,), 4)
    assert layouts.Harmonic().axes((2, 5, 6, 3, 2, 4)) == ((1, 2), (3, 4), 5)
    assert layouts.parse("4x0+ + 2x1", "D4").axes((2, 8)) == ((), (), 1)
    assert layouts.Image().axes((None, 5, 6, 7, 1)) == ((1, 2, 3), (), 4)


@pytest.mark.parametrize("text", ["regular", "quotient(C4)"])
def test_folded_features_move_as_the_unfolded_ones(text):
    layout = layouts.parse(text, "D4")
    x = draw(*SPELLINGS[text])
    folded = x.reshape(2, 4, 4, -1)
    for element in range(8):
        moved = layout.act(x, "D4", element).reshape(2, 4, 4, -1)
        np.testing.assert_array_equal(layout.folded.act(folded, "D4", element), moved)


def test_folded_harmonic_features_rotate():
    layout, x = layouts.Harmonic(3), draw(2, 4, 4, 3, 2, 5)
    moved = layout.folded.act(x.reshape(2, 4, 4, -1), "C4", 1)
    np.testing.assert_array_equal(moved, layout.act(x, "C4", 1).reshape(2, 4, 4, -1))


@pytest.mark.parametrize("text", ["regular", "quotient(C4)", "4x0+ + 2x1", "image"])
def test_a_layout_of_a_large_group_is_moved_by_the_elements_of_a_small_one(text):
    layout, x = layouts.parse(text, "D4"), draw(*SPELLINGS[text])
    for element, matrix in enumerate(groups.get("C4").matrices):
        whole = layout.act(x, "D4", groups.get("D4").index(matrix))
        np.testing.assert_array_equal(layout.act(x, "C4", element), whole)


def test_restrictions():
    assert layouts.parse("regular", "D4").restrict("C4").described == "regular C4"
    assert str(layouts.parse("4x0+ + 2x1", "D4").restrict("C4")) == "4x0 + 2x1"
    assert layouts.parse("quotient(C4)", "D4").restrict("D1").described == "regular D1"
    with pytest.raises(ValueError, match="must stay one orbit"):
        layouts.parse("quotient(C4)", "D4").restrict("C4")


def test_regular_features_on_several_scales_move_scale_by_scale():
    layout, x = layouts.Regular(groups.get("C4"), 2), draw(1, 4, 4, 8, 3)
    moved = layout.act(x, "C4", 1)
    for part in (slice(0, 4), slice(4, 8)):
        np.testing.assert_array_equal(moved[..., part, :], groups.act(x[..., part, :], "C4", 1, "regular"))


def test_what_maps_of_single_channels_do_to_types():
    signs = groups.FieldType.parse("2x0- + 1x1", "D4")
    assert channels.is_signed(signs) and not channels.is_signed(groups.FieldType.parse("1x1", "D8"))
    assert channels.commutes(signs, 3.0) and channels.commutes(signs, [1, 2, 5, 5])
    assert not channels.commutes(signs, [1, 2, 5, 6])
    assert channels.fixes(signs, 0.0) and not channels.fixes(signs, 1.0)
    assert channels.fixes(groups.FieldType.parse("1x0+ + 1xregular", "D4"), [7, *[2] * 8])


def test_cuts_follow_the_blocks():
    whole = groups.FieldType.parse("8x0 + 4x1 + 2x2", "SO2")
    assert str(channels.cut(whole, range(8, 20))) == "4x1 + 2x2"
    assert str(channels.cut(whole, range(3, 16))) == "5x0 + 4x1"
    assert str(channels.cut(whole, [0, 2, 4])) == "3x0"
    assert channels.cut(whole, range(8, 12)) is None
    assert channels.cut(whole, range(9, 16)) is None


@pytest.mark.parametrize(
    ("names", "shared"),
    [
        (("SO2", "D4"), "C4"),
        (("C4", "D2"), "C2"),
        (("C4", "C3"), "C1"),
        (("O2", "SO2", "D6"), "C6"),
        (("Td", "O"), "T"),
        (("D4", "D3"), "D1"),
    ],
)
def test_what_groups_have_in_common(names, shared):
    assert intersection(*names) is groups.get(shared)


def test_what_they_have_in_common_may_have_no_name():
    diagonal = groups.from_generators("diagonal", [[[0, 1], [1, 0]]])
    found = intersection(groups.from_generators("both", [[[0, 1], [1, 0]], [[0, -1], [-1, 0]]]), "D4")
    assert found.order == 4
    assert intersection(diagonal, "C4").order == 1
