"""A basis of kernels that is learned with a network: its rotated copies, and how well they rotate."""

from keras import ops


def moved(representatives, source, permuted):
    """All functions of a basis, from those that the others are pixel permutations of.

    Args:
        representatives: tensor `(representatives, D, pixels)`.
        source, permuted: `(elements,)` and `(elements, pixels)` NumPy integers: the functions of s are those of
            representative `source[s]` at the pixels `permuted[s]`.

    Returns:
        `(elements, D, pixels)`.
    """
    _, size, pixels = representatives.shape
    # A transposed copy, not the variable itself: the gradient must be dense.
    rows = ops.reshape(ops.transpose(representatives, (0, 2, 1)), (-1, size))
    index = (source[:, None] * pixels + permuted).ravel().astype("int32")
    return ops.transpose(ops.reshape(ops.take(rows, index, axis=0), (len(source), pixels, size)), (0, 2, 1))


def equivariance_loss(functions, covariance, cross_covariances, products):
    """How much a code on the functions changes, beyond its rotation, when images rotate; relative, 0 for a perfect one.

    sum over g, s of E|B_s f - B_{g s} L_g f|^2 / sum over g, s of (E|B_s f|^2 + E|B_{g s} L_g f|^2)

    Args:
        functions: `(order, D, pixels)`, B_s^d.
        covariance: `(pixels, pixels)` NumPy array, E f f^T.
        cross_covariances: `(order, pixels, pixels)` NumPy array, E f (L_g f)^T.
        products: `(order, order)` integers, g s.
    """
    order, size, pixels = functions.shape
    covariance = ops.convert_to_tensor(covariance, dtype=functions.dtype)
    cross = ops.convert_to_tensor(cross_covariances, dtype=functions.dtype)
    power = ops.sum((functions @ covariance) * functions)
    flat = ops.reshape(functions, (order, size * pixels))
    rotated = ops.reshape(ops.take(flat, products.ravel().astype("int32"), axis=0), (order, order * size, pixels))
    expected = ops.reshape(functions, (1, order * size, pixels)) @ cross
    # |a - b|^2 = |a|^2 + |b|^2 - 2 a b, and every B_s is in `order` pairs on either side.
    return 1 - ops.sum(expected * rotated) / (order * power)
