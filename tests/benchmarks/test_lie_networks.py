"""Networks on points: a compiled training step against one that is not, time and memory as the points grow.

Run by hand, on a machine with nothing else to do: `pytest -n 0 -m benchmark -s tests/benchmarks/test_lie_networks.py`.
"""

import json
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
from timing import compare, keep, report

import keras_equivariant as ke

pytestmark = pytest.mark.benchmark
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize("group", ["T2", "SE2"])
def test_xla_training_step(group):
    rng = np.random.default_rng(0)
    images, labels = rng.random((25, 28, 28, 1), "float32"), rng.integers(0, 10, 25)
    steps = []
    for jit in (True, False):
        model = ke.build_from_spec("lieconv_rotated_mnist", group=group)
        model.compile("adam", LOSS, jit_compile=jit)
        steps.append(lambda model=model: model.train_on_batch(images, labels))
    *times, ratio = compare(*steps, rounds=5, warmup=2)
    report(f"training step of lieconv_rotated_mnist on {group}, batch 25, XLA against none", *times, ratio)


# The kernel's own count of a program's pages: what getrusage says of a new process begins with the peak of its parent.
MEASURE = """
import json, sys, time
import numpy as np, tensorflow as tf
import keras_equivariant as ke
n, options = int(sys.argv[1]), json.loads(sys.argv[2])
def peak_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
x = n ** (1 / 3) * np.random.default_rng(0).random((1, n, 3), "float32")  # one in a unit of volume
inputs = [x, np.ones((1, n, 8), "float32"), np.ones((1, n), bool)]
conv = ke.layers.LieConv(8, "T3", **options)
run = tf.function(lambda x, f, mask: conv(ke.layers.LieLift("T3")([x, f, mask]))[1])
conv.build([(1, n, 3), (1, n, 8), (1, n)])
before = peak_kib()
start = time.perf_counter()
y = run(*map(tf.constant, inputs)).numpy()
seconds = time.perf_counter() - start
peak = peak_kib()
assert np.isfinite(y).all()
print(json.dumps([seconds, peak / 1024, (peak - before) / 1024]))
"""


def nearest(points):
    return {"neighbors": 16}


def ball(points):
    """A ball of 32 points on average."""
    return {"neighbors": 32, "neighborhood": "ball", "fill": 32 / points, "radius": (24 / math.pi) ** (1 / 3)}


@pytest.mark.parametrize("points", [1_000, 10_000, 30_000, 100_000])
@pytest.mark.parametrize("neighborhood", [nearest, ball])
def test_time_and_memory(neighborhood, points):
    """A process of its own for each size, so that its peak is its own."""
    command = [sys.executable, "-c", MEASURE, str(points), json.dumps(neighborhood(points))]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak, own = json.loads(run.stdout.strip().splitlines()[-1])
    name = f"{neighborhood.__name__}_{points}"
    print(f"\n{name}: {seconds:.2f} s, peak {peak:.0f} MiB, {own:.0f} MiB above the start")
    numbers = {"neighborhood": neighborhood.__name__, "points": points, "seconds": float(f"{seconds:.3g}")}
    keep(name, numbers | {"mebibytes": round(own), "mebibytes_in_all": round(peak)})
    assert peak < 4096
