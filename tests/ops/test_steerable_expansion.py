"""Kernels from constant matrices of pairs of fields against those put together irrep by irrep."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_equivariant.groups import FieldType
from keras_equivariant.kernels import Rings, intertwiner_basis, steerable_basis
from keras_equivariant.ops.steerable import expand


def by_irreps(weights, basis):
    """The same kernel without matrices of pairs of fields."""
    basis = dataclasses.replace(basis)
    basis.__dict__["field_pairs"] = None
    return keras.ops.convert_to_numpy(expand(weights, basis))


def weights_of(basis):
    return keras.ops.convert_to_tensor(np.random.default_rng(0).normal(size=basis.size))


ROWS = [
    ("2xregular", "3xregular", "D4", (3, 3), "auto", None),
    ("2xregular", "3xregular", "C16", (7, 7), "auto", None),
    ("2x0 + 1xregular", "1xregular + 2xquotient(C2)", "C8", (5, 5), "auto", Rings(radial_profile="linear")),
    ("2xquotient(C2)", "1xquotient(C4) + 2x0", "C8", (4, 4), "auto", None),
    ("2xregular", "1xregular", "C2", (3, 5), "steerable", Rings(voxel_size=(1.0, 0.5))),
    ("1xregular", "2xregular", "T", (3, 3, 3), "steerable", None),
    ("1xregular", "1xquotient(T)", "O", (3, 3, 3), "auto", None),
]


@pytest.mark.parametrize("source, target, group, size, name, rings", ROWS)
def test_fields_that_the_group_permutes_expand_one_row(source, target, group, size, name, rings):
    basis = steerable_basis(FieldType.parse(source, group), FieldType.parse(target, group), size, name, rings)
    assert all(pair.relative is not None for row in basis.field_pairs for pair in row)
    weights = weights_of(basis)
    expected = by_irreps(weights, basis)
    assert np.abs(expand(weights, basis) - expected).max() <= 1e-13 * np.abs(expected).max()


@pytest.mark.parametrize(
    "source, target, group",
    [("2x0 + 1x1", "2xregular + 1x2", "C8"), ("2x0+ + 1xregular", "1x1 + 1xinduced(C2,1)", "D4")],
)
def test_other_fields_have_one_matrix_without_changes_of_basis(source, target, group):
    basis = steerable_basis(FieldType.parse(source, group), FieldType.parse(target, group), (3, 3), "steerable")
    assert any(pair is not None and pair.relative is None for row in basis.field_pairs for pair in row)
    weights = weights_of(basis)
    expected = by_irreps(weights, basis)
    assert np.abs(expand(weights, basis) - expected).max() <= 1e-13 * np.abs(expected).max()


def test_linear_maps_between_fields():
    basis = intertwiner_basis(FieldType.parse("2xregular + 1x1", "C8"), FieldType.parse("1x1 + 2xregular", "C8"))
    weights = weights_of(basis)
    expected = by_irreps(weights, basis)
    assert np.abs(expand(weights, basis) - expected).max() <= 1e-13 * np.abs(expected).max()


def test_harmonics_that_the_pixels_do_not_tell_apart_are_no_rows():
    """Twelve waves on a ring of eight pixels: what the pixels see of them does not say how they rotate."""
    rings = Rings(ring_radii=(1.0,), ring_width=0.1, frequency_cutoff=(6,))
    fields = FieldType.parse("1xregular", "C8")
    basis = steerable_basis(fields, fields, (3, 3), "steerable", rings)
    assert basis.field_pairs is None or all(pair.relative is None for row in basis.field_pairs for pair in row)
    weights = weights_of(basis)
    assert np.abs(expand(weights, basis) - by_irreps(weights, basis)).max() <= 1e-13
