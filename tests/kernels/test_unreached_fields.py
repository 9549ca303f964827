"""Fields of the output to which no kernel leads: what would help, and what never does."""

import pytest

from keras_equivariant.groups import FieldType
from keras_equivariant.kernels import point_basis, steerable_basis

NEVER = "larger kernels have none, either: add a field to `in_type`"


@pytest.mark.parametrize(
    ("group", "given", "wanted", "helps"),
    [
        ("O3", "4x0e + 2x1o", "1x0o", "1x0e + 1x1e"),
        ("O2", "1x0+", "1x0-", "1x1"),
        ("Cinfv", "1x0+", "1x0-", "1x1"),
        ("Dinfh", "1x0e+", "1x0o-", "1x1e"),
    ],
)
def test_a_field_that_parities_forbid_needs_another_input(group, given, wanted, helps):
    size = (7,) * FieldType.parse(wanted, group).group.dimension
    with pytest.raises(ValueError, match=NEVER):
        steerable_basis(FieldType.parse(given, group), FieldType.parse(wanted, group), size)
    with pytest.raises(ValueError, match=NEVER):
        point_basis(FieldType.parse(given, group), FieldType.parse(wanted, group), 5)
    assert steerable_basis(FieldType.parse(helps, group), FieldType.parse(wanted, group), size).pairs


@pytest.mark.parametrize(
    ("group", "given", "wanted"), [("D4", "A1", "A2"), ("SO3", "1x0", "1x5"), ("Oh", "A1g", "A1u")]
)
def test_a_field_of_high_degree_needs_a_larger_kernel(group, given, wanted):
    one = 3 if group == "D4" else 1
    size = (one,) * FieldType.parse(wanted, group).group.dimension
    with pytest.raises(ValueError, match="use a larger kernel"):
        steerable_basis(FieldType.parse(given, group), FieldType.parse(wanted, group), size)
