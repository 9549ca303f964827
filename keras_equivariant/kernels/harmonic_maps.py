"""What a harmonic may be multiplied by in a steerable kernel: the maps C with K(x) = sum_c C_c Y_c(x).

They are the invariants of three representations, of the output, the input and the harmonics: a mean over the group, in
space over all rotations a Wigner 3j tensor.
"""

import functools

import numpy as np

from keras_equivariant.groups import irrep, wigner_3j, wigner_d
from keras_equivariant.groups.linalg import gram_schmidt, irrep_of_rotation


@functools.lru_cache(maxsize=4096)
def harmonic_maps(group, source, target, m):
    """The maps C with K(x) = sum_c C_c Y_c(x) steerable, Y the harmonic of frequency m: `(n, out, in, 1 or 2)`.

    C must be invariant under target x source x psi_m: the average over the group of every C is.
    """
    source, target = irrep(group, source), irrep(group, target)
    finite = group
    if not group.is_finite:
        if group.spherical:
            return _couplings(group, source, target, m)
        # More rotations than the sum of the frequencies average as all of them do; powers of two, to meet again.
        finite = group.sample(2 ** int(m + source.frequency + target.frequency).bit_length() - 1)
    if group.is_finite or group.dimension == 2:
        return _invariants(source, target, finite, _waves(group, finite, m))
    # About an axis the harmonics fall apart by their frequency about it.
    parts = [(rows, _invariants(source, target, finite, waves)) for rows, waves in _waves_about_axis(finite, m)]
    return np.concatenate([maps @ rows for rows, maps in parts])


def _invariants(source, target, finite, waves):
    """The maps C, `(n, out, in, size of the waves)`, that do not move where target, source and the waves do."""
    matrices = [_sampled(rho, finite) for rho in (target, source)] + [waves]
    shape = tuple(stack.shape[1] for stack in matrices)
    count = int(round(float(np.mean(np.prod([np.trace(stack, axis1=1, axis2=2) for stack in matrices], axis=0)))))
    if not count:
        return np.zeros((0, *shape))
    size = int(np.prod(shape))
    products = np.einsum("gab,gcd->gacbd", *matrices[:2]).reshape(finite.order, -1)
    average = (products.T @ matrices[2].reshape(finite.order, -1)).reshape(*shape[:2], *shape[:2], shape[2], shape[2])
    average = average.transpose(2, 3, 5, 0, 1, 4).reshape(size, size) / finite.order
    return gram_schmidt(average, count).reshape(-1, *shape)


def _couplings(group, source, target, degree):
    """The one map there is between irreps of SO(3) for each degree of harmonics, where parities allow it."""
    degrees = target.frequency, source.frequency, degree
    inversion = -np.eye(3)[None]
    parity = target.rho(inversion)[0, 0, 0] * source.rho(inversion)[0, 0, 0] * (-1) ** degree if group.mirrors else 1
    if parity < 0 or not abs(degrees[0] - degrees[1]) <= degree <= degrees[0] + degrees[1]:
        return np.zeros((0, target.dim, source.dim, 2 * degree + 1))
    return wigner_3j(*degrees)[None]


@functools.lru_cache(maxsize=1024)
def _sampled(representation, finite):
    return representation.rho(finite.matrices)


@functools.lru_cache(maxsize=256)
def _waves_about_axis(finite, degree):
    """The harmonics of a degree about z instead of y, `(1 or 2, 2 degree + 1)` of each frequency about z, and how these
    move under elements of a group about z, `(order, 1 or 2, 1 or 2)`."""
    from_y = wigner_d(degree, np.roll(np.eye(3), 1, axis=1)[None])[0]
    across, along = finite.matrices[:, :2, :2], finite.matrices[:, 2, 2]
    found = []
    for m in range(degree + 1):
        # cos(m phi), sin(m phi) times a function of z that is even or odd; mirrors keep the cosine.
        waves = irrep_of_rotation(across, m) * np.linalg.det(across)[:, None, None] ** (m + 1)
        waves = (waves if m else np.ones((finite.order, 1, 1))) * along[:, None, None] ** (degree + m)
        found.append((from_y[[degree + m, degree - m] if m else [degree]], np.round(waves, 15)))
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def _waves(group, finite, m):
    """How a harmonic of frequency m moves, `(order, dim, dim)`, dim 1 or 2, in space 2 m + 1."""
    if group.dimension == 3:
        return wigner_d(m, finite.matrices)
    return irrep_of_rotation(finite.matrices, m) if m else np.ones((finite.order, 1, 1))
