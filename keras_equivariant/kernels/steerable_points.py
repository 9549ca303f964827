"""Spaces of steerable kernels of points anywhere: harmonics of the direction times maps between two field types."""

import functools

import numpy as np

from keras_equivariant.groups.spherical import MAX_DEGREE
from keras_equivariant.kernels import steerable
from keras_equivariant.kernels.harmonic_maps import harmonic_maps


def harmonics_of(dimension, degree):
    """How many harmonics there are of a degree: 2 l + 1 in space, 1 or 2 in the plane."""
    return 2 * degree + 1 if dimension == 3 else min(2, degree + 1)


def harmonic_count(dimension, degree):
    """How many there are of all degrees up to one."""
    return sum(harmonics_of(dimension, lower) for lower in range(degree + 1))


def default_degree(in_type, out_type):
    """The least degree of harmonics that leads to every field of the output, 1 or more; of a continuous group the
    highest frequency of the two types."""
    start = max(1, in_type.frequency, out_type.frequency) if not in_type.group.is_finite else 1
    most = start if not in_type.group.is_finite else 2 * MAX_DEGREE
    for degree in range(start, most):
        if _point_basis(in_type, out_type, degree)[1] is None:
            return degree
    return most


def point_basis(in_type, out_type, max_degree):
    """The kernels K(x) = sum_c C_c Y_c(x) from one field type to another, for harmonics Y up to a degree.

    Args:
        in_type, out_type: FieldTypes of one group.
        max_degree: highest degree (in the plane frequency) of the harmonics.

    Returns:
        A SteerableBasis whose "pixels" are the harmonics, degree after degree: its kernels are the C_c.

    Raises:
        ValueError: types of different groups, and fields of the output to which no kernel leads.
    """
    steerable.check_one_group(in_type, out_type)
    basis, missing = _point_basis(in_type, out_type, max_degree)
    if missing:
        raise ValueError(
            f"Every output field needs a kernel that leads to it. Received: max_degree={max_degree}, which has none "
            f'from "{in_type}" to "{missing}" on {in_type.group.name}; '
            f"{steerable.remedy(in_type, out_type, missing, 'use a higher degree')}, or leave the field out of "
            "`out_type`"
        )
    return basis


@functools.lru_cache(maxsize=256)
def _point_basis(in_type, out_type, max_degree):
    group = in_type.group
    sizes = [harmonics_of(group.dimension, degree) for degree in range(max_degree + 1)]

    def kernels(source, target):
        found = []
        for degree, size in enumerate(sizes):
            maps = harmonic_maps(group, source, target, degree)
            before, after = sum(sizes[:degree]), sum(sizes[degree + 1 :])
            # (n, out, in, harmonics) as functions of the harmonic, (n, harmonics, out, in). The squares of the
            # harmonics of a degree add up to 1; times their number each has the mean square 1.
            functions = np.sqrt(size) * np.moveaxis(maps, -1, 1)
            found.append(np.pad(functions, ((0, 0), (before, after), (0, 0), (0, 0))))
        return np.concatenate([part for part in found if len(part)] or [found[0]])

    return steerable.between(in_type, out_type, "harmonics", kernels, (sum(sizes),), None)
