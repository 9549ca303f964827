"""Random rotations and mirrors of points, with whatever of inputs and targets rotates with them."""

import math

MOVING = ("positions", "state", "forces", "dipole", "states")  # names of arrays whose last axis holds coordinates


def augment_points(inputs, targets, seed, rotate, mirror, part=None):
    """Dicts of tensors `(B, ..., d)`, each sample rotated by a random rotation of its own about the origin.

    Args:
        inputs, targets: dicts by name; those in `MOVING` rotate.
        seed: pair of integers that decides the draws.
        rotate: largest angle in degrees; in space about an axis that is uniform over the sphere.
        mirror: whether to mirror the first coordinate, with probability 1/2.
        part: `(first, of)` where these are the samples from number `first` on of a batch of `of`, else None.
    """
    import tensorflow as tf

    from keras_equivariant.data.volume_augment import _about

    moving = [array for part_ in (inputs, targets) for name, array in part_.items() if name in MOVING]
    d, count = moving[0].shape[-1], tf.shape(moving[0])[0]
    first, of = part or (0, count)
    draws = tf.random.stateless_uniform((2, of), seed=seed)[:, first : first + count]
    angles = (2 * draws[0] - 1) * rotate * (math.pi / 180)
    if d == 3:
        matrices = _about(tf.random.stateless_normal((of, 3), seed=seed)[first : first + count], angles)
    elif d == 2:
        cos, sin = tf.cos(angles), tf.sin(angles)
        matrices = tf.stack([tf.stack([cos, -sin], axis=1), tf.stack([sin, cos], axis=1)], axis=1)
    else:
        return inputs, targets
    sign = tf.where((draws[1] < 0.5) & mirror, -1.0, 1.0)
    matrices = tf.concat([sign[:, None, None] * matrices[:, :1], matrices[:, 1:]], axis=1)

    def moved(name, array):
        if name not in MOVING:
            return array
        flat = tf.reshape(array, (tf.shape(array)[0], -1, d))
        return tf.reshape(tf.einsum("bij,bnj->bni", matrices, flat), tf.shape(array))

    return tuple({name: moved(name, array) for name, array in part_.items()} for part_ in (inputs, targets))
