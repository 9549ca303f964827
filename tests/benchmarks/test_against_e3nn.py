"""A training step of a convolution on molecules beside e3nn's and beside a plain one of as many channels, on one CPU.

Run by hand on a quiet machine, in an environment that has e3nn, too (`pip install e3nn`), pinned to one core:
`taskset -c 0 pytest -n 0 -m benchmark -s tests/benchmarks/test_against_e3nn.py`. All gradients, those by the positions
among them; molecules of 20 atoms, each within the cutoff of each other. e3nn is given the edges; our layer finds them.
"""

import numpy as np
import pytest
import tensorflow as tf
from timing import compare, report

import keras_equivariant as ke

pytestmark = pytest.mark.benchmark
BATCH, ATOMS, RADIUS, RINGS, UNITS, DEGREE = 32, 20, 5.0, 8, 32, 2
WIDTHS = {"16x0e+16x1o": (16, 16), "32x0e+8x1o": (32, 8), "64x0e+16x1o": (64, 16)}


def molecules(channels):
    rng = np.random.default_rng(0)
    positions = rng.uniform(-1.2, 1.2, (BATCH, ATOMS, 3)).astype("float32")
    return positions, rng.normal(size=(BATCH, ATOMS, channels)).astype("float32")


def step_of_ours(scalars, vectors):
    types = f"{scalars}x0e + {vectors}x1o"
    layer = ke.layers.SteerablePointConv(
        types, types, "O3", RADIUS, ATOMS, max_degree=DEGREE, num_rings=RINGS, kernel_units=(UNITS, 6)
    )
    positions, values = map(tf.constant, molecules(scalars + 3 * vectors))
    mask = tf.ones((BATCH, ATOMS), bool)
    layer([positions, values, mask])

    @tf.function(jit_compile=True)
    def step():
        with tf.GradientTape() as tape:
            tape.watch(positions)
            loss = tf.reduce_sum(layer([positions, values, mask], training=True)[1] ** 2)
        return tape.gradient(loss, [positions, *layer.trainable_variables])

    return lambda: step()[0].numpy()


def step_of_plain(scalars, vectors):
    """A continuous convolution of as many channels: the kernel is any function of the displacement."""
    channels = scalars + 3 * vectors
    positions, values = map(tf.constant, molecules(channels))
    first, second = (tf.Variable(tf.random.normal(shape)) for shape in ((3, UNITS), (UNITS, 6)))
    mixing = tf.Variable(tf.random.normal((6 * channels, channels)))

    @tf.function(jit_compile=True)
    def step():
        with tf.GradientTape() as tape:
            tape.watch(positions)
            kernel = tf.nn.silu((positions[:, :, None] - positions[:, None]) @ first) @ second
            summed = tf.einsum("bijk,bjc->bikc", kernel, values)
            loss = tf.reduce_sum((tf.reshape(summed, (BATCH, ATOMS, -1)) @ mixing) ** 2)
        return tape.gradient(loss, [positions, first, second, mixing])

    return lambda: step()[0].numpy()


def step_of_e3nn(scalars, vectors):
    """Tensor products channel by channel with weights of the distance, and linear maps around them, as in NequIP."""
    import torch
    from e3nn import math, nn, o3

    torch.set_num_threads(1)
    types, harmonics = o3.Irreps(f"{scalars}x0e + {vectors}x1o"), o3.Irreps.spherical_harmonics(DEGREE)
    middle, instructions = [], []
    for i, (count, irrep) in enumerate(types):
        for j, (_, edge) in enumerate(harmonics):
            for out in irrep * edge:
                if out in types:
                    instructions.append((i, j, len(middle), "uvu", True))
                    middle.append((count, out))
    product = o3.TensorProduct(types, harmonics, middle, instructions, shared_weights=False, internal_weights=False)
    before, after = o3.Linear(types, types), o3.Linear(o3.Irreps(middle), types)
    radial = nn.FullyConnectedNet([RINGS, UNITS, product.weight_numel], torch.nn.functional.silu)
    positions, values = (torch.from_numpy(x.reshape(-1, x.shape[-1])) for x in molecules(types.dim))
    positions.requires_grad_()
    pairs = np.arange(BATCH * ATOMS).reshape(BATCH, ATOMS)
    source, target = (
        np.broadcast_to(pairs[axes], (BATCH, ATOMS, ATOMS)) for axes in (np.s_[:, None], np.s_[:, :, None])
    )
    other = source != target
    source, target = (torch.from_numpy(side[other].copy()) for side in (source, target))
    weights = [w for module in (before, after, radial) for w in module.parameters()]

    def step():
        edges = positions[source] - positions[target]
        directions = o3.spherical_harmonics(harmonics, edges, normalize=True, normalization="component")
        lengths = math.soft_one_hot_linspace(edges.norm(dim=1), 0.0, RADIUS, RINGS, "gaussian", cutoff=False)
        messages = product(before(values)[source], directions, radial(lengths))
        summed = torch.zeros(len(positions), messages.shape[1]).index_add(0, target, messages)
        loss = (after(summed) ** 2).sum()
        return torch.autograd.grad(loss, [positions, *weights])[0].numpy()

    return step


@pytest.mark.parametrize("width", WIDTHS)
def test_training_step_against_e3nn(width):
    pytest.importorskip("e3nn")
    *times, ratio = compare(step_of_ours(*WIDTHS[width]), step_of_e3nn(*WIDTHS[width]), rounds=15)
    report(f"convolution on molecules, {width}, against e3nn", *times, ratio)
    assert ratio <= 1.0


@pytest.mark.parametrize("width", WIDTHS)
def test_training_step_against_a_plain_one(width):
    *times, ratio = compare(step_of_ours(*WIDTHS[width]), step_of_plain(*WIDTHS[width]), rounds=15)
    report(f"convolution on molecules, {width}, against a plain one", *times, ratio)
    assert ratio <= 8.0  # a harmonic of each degree has its own sum: nine beside the plain one's
