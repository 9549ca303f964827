"""Random rotations, reflections and shifts of a batch of volumes, as one trilinear resampling."""

import math

import numpy as np

from keras_equivariant import groups


def draw_motion(count, seed, rotate, mirrors, translate, turns, part=None):
    """Orthogonal matrices `(count, 3, 3)` and shifts `(count, 3)`.

    Args:
        count: How many.
        seed: Pair of integers.
        rotate: Largest angle in degrees about a random axis, uniform over the sphere.
        mirrors: Whether to mirror the first axis, and the last, each with probability 1/2.
        translate: Largest shift along each axis, in whole voxels.
        turns: Whether to turn by one of the 24 rotations of the cube, besides, without interpolation of their own.
        part: `(first, of)` where these are the volumes from number `first` on of a batch of `of`, else None.
    """
    import tensorflow as tf

    begin, of = part or (0, count)
    draws = tf.random.stateless_uniform((7, of), seed=seed)[:, begin : begin + count]
    axes = tf.random.stateless_normal((of, 3), seed=seed)[begin : begin + count]
    matrices = _about(axes, (2 * draws[0] - 1) * rotate * (math.pi / 180))
    first, last = (tf.where((draws[1 + i] < 0.5) & mirrors[i], -1.0, 1.0) for i in (0, 1))
    matrices = tf.stack([first, tf.ones_like(first), last], axis=1)[:, :, None] * matrices
    if turns:
        cube = tf.constant(groups.get("O").matrices, "float32")
        matrices = tf.gather(cube, tf.cast(24 * draws[3], "int32")) @ matrices
    return matrices, tf.floor(tf.transpose(draws[4:7]) * (2 * translate + 1)) - translate


def move_volumes(volumes, matrices, shifts=None, fill="constant", nearest=False):
    """[L_g f](p) = f(g^-1 (p - shift)) for each volume, by trilinear interpolation; exact where voxels meet voxels.

    Args:
        volumes: Float tensor (B, D, H, W, C).
        matrices: Orthogonal matrices (B, 3, 3), about the center.
        shifts: In voxels, (B, 3), or None.
        fill: What lies outside the volume: "reflect" or "constant" (zero).
        nearest: Whether each voxel is that which lies nearest, as masks need it.
    """
    import tensorflow as tf

    sizes = tf.shape(volumes)[1:4]
    center = (tf.cast(sizes, "float32") - 1) / 2
    grid = tf.meshgrid(*(tf.range(sizes[a]) for a in range(3)), indexing="ij")
    points = tf.cast(tf.reshape(tf.stack(grid, axis=-1), (-1, 3)), "float32") - center
    points = points[None] if shifts is None else points[None] - shifts[:, None]
    source = tf.matmul(points, matrices) + center  # a row times an orthogonal matrix is its inverse on the point
    rounded = tf.round(source)
    source = tf.where(nearest | (tf.abs(source - rounded) < 1e-4), rounded, source)
    low = tf.floor(source)
    total = 0.0
    for corner in np.ndindex(2, 2, 2):
        tap = low + tf.constant(corner, "float32")
        weight = tf.reduce_prod(1 - tf.abs(source - tap), axis=-1)
        index = tf.cast(tap, "int32")
        if fill == "constant":
            inside = tf.reduce_all((index >= 0) & (index < sizes), axis=-1)
            weight, index = weight * tf.cast(inside, "float32"), tf.clip_by_value(index, 0, sizes - 1)
        else:
            folded = tf.math.floormod(index, 2 * sizes)
            index = tf.minimum(folded, 2 * sizes - 1 - folded)
        total += weight[..., None] * tf.gather_nd(volumes, index, batch_dims=1)
    return tf.reshape(total, tf.shape(volumes))


def _about(axes, angles):
    """Rotations about axes (B, 3), of any length, by angles (B,): Rodrigues' formula."""
    import tensorflow as tf

    x, y, z = tf.unstack(axes / tf.norm(axes, axis=1, keepdims=True), axis=1)
    zero = tf.zeros_like(x)
    cross = tf.reshape(tf.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1), (-1, 3, 3))
    sin, cos = tf.sin(angles)[:, None, None], tf.cos(angles)[:, None, None]
    return tf.eye(3) + sin * cross + (1 - cos) * cross @ cross
