"""Left-invariant distances of points of a Lie group, of which neighbourhoods are made."""

import functools

from keras import ops


def left_invariant(arithmetic, angles, metric, form, alpha, ties=0.0):
    """The left-invariant distance of two rows (element, orbit), as a function of tuples of planes.

    Args:
        arithmetic: of `ops.lie`.
        angles: how many of them come first and are scale and rotation.
        metric: squared weights of the coordinates.
        form: `"squared"`: d^2 = |log v^-1 u|^2 + alpha |q_u - q_v|^2, in the Frobenius norm, as in the paper's text;
            `"convex"`: alpha times the rotation's length plus 1 - alpha times the translation's or the orbits'
            distance, as in the authors' code. There SO(2)'s orbits are |r_u - r_v| / (r_u + r_v + 0.001) apart, and
            R>0 x SO(2) weighs its angle by alpha and its scale by 1 - alpha.
        alpha: from 0 to 1.
        ties: times the rotation's coordinates, added: turns to the left and to the right by the same angle are equally
            far, and which of them is a neighbour must not depend on the order of the points.
    """
    size = arithmetic.size

    def distance(v, u):
        log, length = parts(v, u)
        for i in range(angles if ties else 0):
            length = length + ties / (1 + i) * log[i]
        return length

    def parts(v, u):
        log = arithmetic.log(arithmetic.relative(v[:size], u[:size])) if size else ()
        orbits = tuple(b - a for a, b in zip(v[size:], u[size:], strict=True))
        if form == "squared":
            return log, ops.sqrt(_squares(log, metric) + alpha * _squares(orbits))
        if len(log) == 2 and angles == 2:  # R>0 x SO(2)
            return log, alpha * ops.abs(log[1]) + (1 - alpha) * ops.abs(log[0])
        rotation, translation = log[:angles], log[angles:]
        if not rotation:
            rotation, translation = translation, ()
        rest = translation or orbits
        if not rotation or not rest:
            return log, ops.sqrt(_squares(rotation or rest))
        other = ops.sqrt(_squares(rest))
        if angles == len(orbits) == 1:  # SO(2)
            other = other / (v[size] - (-1e-3 - u[size]))
        return log, alpha * ops.sqrt(_squares(rotation)) + (1 - alpha) * other

    return distance


def _squares(planes, weights=None):
    if not planes:
        return 0.0
    weights = weights or (1.0,) * len(planes)
    return functools.reduce(lambda a, b: a + b, (w * p * p for w, p in zip(weights, planes, strict=True)))
