"""What networks on points tell apart: the counterexamples of Joshi et al., arXiv 2301.09308.

| pair                                                        | told apart by                                       |
|-------------------------------------------------------------|-----------------------------------------------------|
| a star of k neighbors, and the same rotated by half a step  | fields of degree k and even multiples, none below k |
| a chain of k points whose last end is up, and down          | tfn_molecules with 3 layers for k = 2, not with 2   |
"""

import keras
import numpy as np
import pytest
from keras import ops

from keras_equivariant import layers
from keras_equivariant.compiler import build_from_spec

pytestmark = pytest.mark.tensorflow


def answers(network, clouds):
    x = ops.convert_to_tensor(np.stack(clouds))
    ones = ops.ones((*x.shape[:2], 1), dtype=x.dtype)
    found = network([x, ones, ops.ones(x.shape[:2], "bool")])
    return ops.convert_to_numpy(found[1][:, 0] if isinstance(found, tuple) else found)


def star(k, angle):
    angles = 2 * np.pi * np.arange(k) / k + angle
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=-1)
    return np.concatenate([np.zeros((1, 3)), ring])


@pytest.mark.parametrize("k", [2, 3, 5])
def test_rotated_stars_need_a_degree_of_their_own_symmetry(k):
    for degree in (1, 2, 3, 4, 5):
        keras.utils.set_random_seed(0)
        options = {"radius": 2.0, "neighbors": k + 1, "kernel_units": (4, 2), "dtype": "float64"}
        layer = layers.SteerablePointConv("1x0", f"1x{degree}", "SO3", **options)
        one, other = answers(layer, [star(k, 0.0), star(k, np.pi / k)])
        assert (np.abs(one - other).max() > 1e-2) == (degree >= k and (degree - k) % 2 == 0)


def chain(k, last):
    """k points in a row, with an end at both."""
    row = np.arange(k)[:, None] * np.eye(3)[:1]
    return np.concatenate([[[-0.6, 0.8, 0]], row, [[k - 0.4, last, 0]]])


@pytest.mark.parametrize(("depth", "told"), [(2, False), (3, True)])
def test_chains_need_layers_between_their_ends(depth, told):
    keras.utils.set_random_seed(1)
    small = {"scalars": 8, "vectors": 4, "functions": 2, "radius": 1.2, "points": 4, "channels": 1, "neighbors": 4}
    policy = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        network = build_from_spec("tfn_molecules", layers=depth, **small)
        one, other = answers(network, [chain(2, 0.8), chain(2, -0.8)])
    finally:
        keras.config.set_floatx(policy)
    assert (np.abs(one - other).max() > 1e-6 * np.abs(one).max()) == told
