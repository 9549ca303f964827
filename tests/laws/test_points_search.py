"""A random search: clouds of points, symmetric ones among them, x groups x options; each moved and permuted.

What is judged in float64: (1) convolution, thinning and pooling on lifted points, for every element of every group;
(2) the same from the positions on, wherever LieLift promises it; (3) the same cloud far from the origin. The order of
the points changes in each trial.
"""

import keras
import numpy as np
import pytest
from keras import ops

from keras_equivariant import groups, layers
from keras_equivariant.layers.points.features import arithmetic
from keras_equivariant.ops import lie, neighborhoods
from keras_equivariant.ops.lie_distance import LeftInvariant

pytestmark = pytest.mark.tensorflow
EXACT = 1e-11
GROUPS = ("T2", "T3", "SO2", "SO3", "RxSO2", "SE2", "SE3", "Rx", "Tx", "Trivial2")
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])


def ring(radius, count=6):
    angles = 2 * np.pi * np.arange(count) / count
    return radius * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=-1)


def lattice(*sides):
    axes = [np.arange(side) - (side - 1) / 2 for side in (*sides, *(1,) * (3 - len(sides)))]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


CLOUDS = {
    "random": lambda rng: rng.normal(size=(rng.integers(1, 12), 3)),
    "lattice": lambda rng: lattice(*rng.integers(2, 6, 2)) * rng.choice([1.0, 0.3, 40.0]),
    "cube": lambda rng: lattice(2, 2, 2),
    "benzene": lambda rng: np.concatenate([ring(1.4), ring(2.49)]),
    "methane": lambda rng: np.concatenate([np.zeros((1, 3)), 0.63 * TETRAHEDRON]),
    "CO2": lambda rng: np.array([[0, 0, 0], [1.16, 0, 0], [-1.16, 0, 0]]),
    "origin": lambda rng: np.concatenate([np.zeros((1, 3)), rng.normal(size=(5, 3))]),
    "coincident": lambda rng: np.repeat(rng.normal(size=(3, 3)), 3, axis=0),
    "one": lambda rng: rng.normal(size=(1, 3)),
    "nobody": lambda rng: np.full((4, 3), np.nan),
}


def options(rng):
    return {
        "neighbors": int(rng.integers(1, 12)),
        "spare": int(rng.integers(0, 7)),
        "neighborhood": str(rng.choice(["nearest", "nearest", "ball"])),
        "radius": float(rng.choice([0.7, 1.0, 2.0])),
        "fraction": float(rng.choice([1.0, 1.0, 0.7, 0.4])),
        "distance": str(rng.choice(["convex", "squared"])),
        "alpha": float(rng.choice([0.2, 0.5])),
        "reduction": str(rng.choice(["mean", "sum"])),
        "kernel_units": (6,),
        "batch_normalization": False,
    }


class Trial:
    """A cloud, a group, and layers with random options."""

    def __init__(self, seed):
        rng = self.rng = np.random.default_rng(seed)
        keras.utils.set_random_seed(seed)
        self.group = groups.lie_group(str(rng.choice(GROUPS)))
        d = self.group.dimension
        cloud = str(rng.choice(list(CLOUDS)))
        x = CLOUDS[cloud](rng)[:, :d]
        if rng.random() < 0.2:
            x = x + rng.normal(size=d)
        self.samples = int(rng.choice([1, 2, 4])) if self.group.stabilizer else 1
        self.x, self.f, self.mask = x[None], rng.normal(size=(1, len(x), d)), rng.random((1, len(x))) < 0.9
        self.lift = layers.LieLift(self.group, self.samples, dtype="float64")
        chosen = options(rng)
        self.name = f"seed {seed}: {self.group.name}, {cloud}, {self.samples} samples, {chosen}"
        self.conv = layers.LieConv(2 * d, self.group, bias_initializer="normal", dtype="float64", **chosen)
        vectors = bool(rng.random() < 0.5)
        self.pool = layers.LiePooling("sum", vectors, self.group, dtype="float64")
        self.vectors = vectors

    def answer(self, u, f, mask):
        elements, values, there = self.conv([u, f, mask])
        # What the sum is made of is its scale: vectors may cancel.
        self.size = float(ops.sum(ops.abs(values))) + 1e-30
        return ops.convert_to_numpy(self.pool([elements, values, there]))[0]

    def lifted(self, x, order):
        u, f, mask = self.lift([x[:, order], self.f[:, order], self.mask[:, order]])
        again = self.rng.permutation(u.shape[1])
        return tuple(ops.convert_to_numpy(x)[:, again] for x in (u, f, mask))

    def expected(self, y, matrix):
        d = self.group.dimension
        return (matrix[:d, :d] @ y.reshape(d, -1)).ravel() if self.vectors else y

    def errors(self):
        """The largest relative change that the law does not allow."""
        own, order = arithmetic(self.group), np.arange(self.x.shape[1])
        u, f, mask = self.lifted(self.x, order)
        y, found = self.answer(u, f, mask), []
        size = self.size
        if own.size:
            a = self.group.random_logarithms(2, seed=int(self.rng.integers(1 << 30)))[1]
            g = own.exp(tuple(ops.convert_to_tensor(a[i : i + 1]) for i in range(len(a))))
            product = own.product(g, lie.unstack(ops.convert_to_tensor(u[..., : own.size])))
            moved = np.concatenate([ops.convert_to_numpy(ops.stack(product, axis=-1)), u[..., own.size :]], axis=-1)
            again = self.rng.permutation(u.shape[1])
            z = self.answer(moved[:, again], f[:, again], mask[:, again])
            found.append((z, self.expected(y, self.group.matrix(a))))
        if self.group.stabilizer is None or self.group.axes:
            some = groups.LieSample(self.group, 3, self.samples if self.group.stabilizer else None)
            elements = some.grid_elements if self.group.stabilizer else range(1, len(some.matrices))
            matrix = some.matrices[self.rng.choice(list(elements))]
            # Moved with the order changed; a point that is not there (NaN) stays so.
            z = self.answer(*self.lifted(groups.move_points(self.x, matrix), self.rng.permutation(len(order))))
            found.append((z, self.expected(y, matrix)))
        if self.group.axes:
            # Offsets from point to point that are the same number by number, however far away all of them are.
            near = np.round(self.x * 2**20) / 2**20
            far = near.copy()
            far[..., list(self.group.axes)] += 2.0 ** self.rng.integers(4, 20)
            z, wanted = (self.answer(*self.lifted(x, order)) for x in (far, near))
            found.append((z, wanted))
        return max([np.linalg.norm(z - wanted) / size for z, wanted in found], default=0.0)


def search(seeds):
    """The trials that break the law, with their errors."""
    trials = (Trial(seed) for seed in seeds)
    return [(trial.name, error) for trial in trials for error in [trial.errors()] if not error <= EXACT]


def test_random_clouds_keep_the_law():
    assert search(range(50)) == []


@pytest.mark.slow
def test_many_random_clouds_keep_the_law():
    assert search(range(1000, 4000)) == []


def test_the_search_finds_shells_that_are_cut(monkeypatch):
    """Negative control: the k first as sorting leaves them."""
    cut = lambda keys, k, *_: ops.cast(ops.arange(keys.shape[-1]) < k, keys.dtype)  # noqa: E731
    monkeypatch.setattr(neighborhoods, "whole_shells", cut)
    assert search(range(20))


def test_the_search_finds_edges_that_depend_on_the_place(monkeypatch):
    """Negative control: rounding that grows with the distance from the origin."""
    slack = lambda self, centers, *_: 4e-15 * ops.sum(ops.abs(centers), axis=-1, keepdims=True)  # noqa: E731
    monkeypatch.setattr(LeftInvariant, "rounding", slack)
    assert search(range(50))


@pytest.mark.parametrize("fraction", [1.0, 0.5])
@pytest.mark.parametrize(("group", "samples"), [("SE2", 4), ("SO2", 1), ("RxSO2", 1)])
def test_pixels_keep_quarter_turns(group, samples, fraction):
    """Images of odd and of even size, the middle pixel in the origin; every neighborhood, thinned or not."""
    keras.utils.set_random_seed(0)
    for size, neighborhood in ((5, "nearest"), (4, "ball")):
        images = np.random.default_rng(0).normal(size=(2, size, size, 2))
        both = np.concatenate([images, np.rot90(images, axes=(1, 2))])
        x = layers.LieLift(group, samples, dtype="float64")(layers.ImageToPoints(dtype="float64")(both))
        plain = {"neighbors": 6, "neighborhood": neighborhood, "fraction": fraction, "dtype": "float64"}
        for _ in range(2):
            x = layers.LieConv(4, group, kernel_units=(8,), **plain)(x)
        y = ops.convert_to_numpy(layers.LiePooling(dtype="float64")(x))
        assert np.abs(y[2:] - y[:2]).max() <= 1e-12 * np.abs(y).max()
        assert np.abs(y[0] - y[1]).max() > 1e-3 * np.abs(y).max()
