"""Even functions of an angle from its square: power series near 0, so that values and derivatives stay exact."""

from keras import ops


def polynomial(x, coefficients):
    total = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = coefficient + x * total
    return total


def _even(square, threshold, coefficients, exact):
    """An even function of an angle from its square: the power series near 0, `exact(angle)` elsewhere."""
    near = square < threshold
    angle = ops.sqrt(ops.where(near, 1.0, square))
    return ops.where(near, polynomial(square, coefficients), exact(angle))


def sinc(square):
    return _even(square, 0.25, _SINC, lambda x: ops.sin(x) / x)


def cos(square):
    return _even(square, 0.25, _COS, ops.cos)


def cosc(square):
    return _even(square, 0.25, _COSC, lambda x: 2 * ops.square(ops.sin(x / 2) / x))


def sincc(square):
    return _even(square, 0.25, _SINCC, lambda x: (x - ops.sin(x)) / (x * x * x))


def inverse_coefficient(square, cos, sin, angle):
    """(1 - (x / 2) cot(x / 2)) / x^2: c in V^-1 = I - K / 2 + c K^2; finite at half a turn."""
    near = square < 1.0
    safe = ops.where(near, 1.0, square)
    cotangent = ops.where(near, 0.0, sin) / ops.where(near, 2.0, 1 - cos)
    return ops.where(near, polynomial(square, _INVERSE), (1 - angle / 2 * cotangent) / safe)


_COS = (1, -1 / 2, 1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600)
_SINC = (1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800)
_COSC = (1 / 2, -1 / 24, 1 / 720, -1 / 40320, 1 / 3628800, -1 / 479001600)
_SINCC = (1 / 6, -1 / 120, 1 / 5040, -1 / 362880, 1 / 39916800, -1 / 6227020800)
_INVERSE = (
    *(1 / 12, 1 / 720, 1 / 30240, 1 / 1209600, 1 / 47900160),
    *(691 / 1307674368000, 1 / 74724249600, 3617 / 10670622842880000),
)
ARCSINE = (2, 1 / 3, 3 / 20, 5 / 56, 35 / 576, 63 / 1408)  # 2 asin(s) / s in s^2
