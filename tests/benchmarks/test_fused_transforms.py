"""Two 1x1 group convolutions around GELU on JAX, in blocks: transform back, nonlinearity and transform as one kernel.

Run by hand on a quiet machine: `pytest -n 0 -m benchmark -s tests/benchmarks/test_fused_transforms.py`. On JAX a whole
compiled step is one program, in which XLA may join the additions with the nonlinearity between them; the blocks stand
beside one dense product for each layer, as wide as the stock network's, on whatever device JAX finds. A process of its
own measures, for the backend is chosen when Keras is imported.
"""

import json
import os
import subprocess
import sys

import pytest
from timing import compare, keep

pytestmark = pytest.mark.benchmark
GROUPS = {"D4": (16, 16), "O": (8, 8, 8)}
CASES = [("D4", 32), ("D4", 64), ("D4", 128), ("O", 16), ("O", 32)]


def measure(group, fields, dtype):
    """Milliseconds of a step in blocks and of the dense one, and their ratio."""
    import jax
    import numpy as np

    from keras_equivariant import groups
    from keras_equivariant.kernels.fast_fourier import fast_fourier
    from keras_equivariant.ops.spectral import convolve_pointwise

    fourier, group = fast_fourier(groups.get(group)), groups.get(group)
    rng, channels = np.random.default_rng(0), group.order * fields
    x = jax.numpy.asarray(rng.normal(size=(8, *GROUPS[group.name], group.order, fields)), dtype)
    flat = x.reshape(-1, channels)
    kernels = [jax.numpy.asarray(rng.normal(size=(group.order, fields, fields)) / channels, dtype) for _ in range(2)]
    every = range(group.order)
    relative = np.array([[group.product(group.inverse(after), before) for after in every] for before in every])
    matrices = [kernel[relative].transpose(0, 2, 1, 3).reshape(channels, channels) for kernel in kernels]

    def in_blocks(weights, x):
        y = convolve_pointwise(x, weights[0], fourier, training=True)
        y = convolve_pointwise(jax.nn.gelu(y), weights[1], fourier, training=True)
        return (y.astype("float32") ** 2).sum()

    def dense(weights, x):
        return ((jax.nn.gelu(x @ weights[0]) @ weights[1]).astype("float32") ** 2).sum()

    values = [float(in_blocks(kernels, x)), float(dense(matrices, flat))]
    steps = [jax.jit(jax.grad(function, argnums=(0, 1))) for function in (in_blocks, dense)]
    runs = [
        lambda: jax.block_until_ready(steps[0](kernels, x)),
        lambda: jax.block_until_ready(steps[1](matrices, flat)),
    ]
    *times, ratio = compare(*runs, rounds=15)
    found = {"ratio": round(ratio, 3), "ms": 1e3 * times[0], "dense_ms": 1e3 * times[1], "values": values}
    return found | {"device": jax.default_backend()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("group, fields", CASES)
def test_training_step(group, fields, dtype):
    pytest.importorskip("jax")
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, __file__, group, str(fields), dtype]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.strip().splitlines()[-1])
    print(
        f"\n{group}, {fields} fields, {dtype}, {found['device']}: {found['ms']:.2f} / {found['dense_ms']:.2f} ms, "
        f"{found['ratio']:.3f}"
    )
    keep(f"{group}_{fields}_{dtype}", {"ratio": found["ratio"]})
    blocks, dense = found["values"]  # the ratio is printed, won or lost: no rule reads it
    assert abs(blocks - dense) <= {"float32": 1e-4, "bfloat16": 5e-2}[dtype] * dense


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
