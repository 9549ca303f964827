"""Does a function commute with a symmetry, and by how much not?

Two laws, for every group element g acting on arrays (`groups.act`):

    equivariance   f(g x) = g f(x)
    invariance     f(g x) = f(x)

The error of an element is |f(g x) - g f(x)| / |f(x)|, the relative L2 norm over all samples. Elements that map the
pixel grid onto itself are exact: their error is rounding, or a fault. The others move pixels between pixels: their
error holds the error of interpolation and is labeled so.
"""

from keras_equivariant.equivariance.certificate import certify
from keras_equivariant.equivariance.errors import ElementErrors, assert_equivariant, equivariance_error
from keras_equivariant.equivariance.report import Report

__all__ = ["ElementErrors", "Report", "assert_equivariant", "certify", "equivariance_error"]
