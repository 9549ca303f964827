"""How fast the values of pixels change while an image is rotated, as a differentiable function of the image."""

import numpy as np
from keras import ops


def rotation_rate(x, generator):
    """d/dt x(exp(-t X) p) at t = 0 = -(X p) . grad x, by central differences; the edge goes on outside the image.

    Args:
        x: `(B, *space, C)` with known sizes.
        generator: `(d, d)` or `(B, d, d)`: the skew matrix X in array coordinates, see `groups.grid.index_matrix`.

    Returns:
        A tensor like `x`, per radian.
    """
    sizes = x.shape[1:-1]
    points = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in sizes), indexing="ij"), axis=-1)
    generator = ops.cast(ops.convert_to_tensor(generator), x.dtype)
    generator = ops.reshape(generator, (-1, len(sizes), len(sizes)))
    points = ops.convert_to_tensor(points.reshape(1, -1, len(sizes)), dtype=x.dtype)
    velocity = ops.reshape(ops.matmul(points, generator), (-1, *sizes, len(sizes)))
    return sum(velocity[..., axis, None] * _difference(x, axis + 1) for axis in range(len(sizes)))


def _difference(x, axis):
    """(x[i + 1] - x[i - 1]) / 2, the edges repeated."""

    def part(start, stop):
        return x[(slice(None),) * axis + (slice(start, stop),)]

    after = ops.concatenate([part(1, None), part(-1, None)], axis=axis)
    before = ops.concatenate([part(0, 1), part(0, -1)], axis=axis)
    return (after - before) / 2
