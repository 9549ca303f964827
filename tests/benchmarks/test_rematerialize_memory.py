"""Memory of a training step that keeps its features, and of one that computes them again.

Two numbers: the peak of the process, and the peak of TensorFlow's tensors in the step by its own count. The first holds
the program too, graphs and compiled functions, which are more where layers are computed twice, and are made anew for
each size of a batch: in space, where a volume has few numbers and the network many layers, they are most of it.

Run by hand: `pytest -n 0 -m benchmark -s tests/benchmarks/test_rematerialize_memory.py`.
"""

import json
import subprocess
import sys

import pytest
from timing import keep

pytestmark = pytest.mark.benchmark

# The kernel's own count of a program's pages: what getrusage says of a new process begins with the peak of its parent.
MEASURE = """
import json, sys
import keras, numpy as np, tensorflow as tf
import keras_equivariant as ke
spec, overrides, batch, again = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "again"
model = ke.build_from_spec(spec, **overrides)
trained = ke.rematerialize(model, batch_size=batch) if again else model
trained.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
x, y = np.zeros((batch, *model.input_shape[1:]), "float32"), np.zeros(batch, int)
def peak_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
peaks = []
for count in (1, batch):  # what one image needs is mostly expanded kernels, and the compilers' own
    for _ in range(2):
        tf.config.experimental.reset_memory_stats("CPU:0")
        trained.train_on_batch(x[:count], y[:count])
    tensors = tf.config.experimental.get_memory_info("CPU:0")["peak"] / 2**20
    peaks.append((tensors, peak_kib() / 1024))
print(json.dumps(peaks))
"""


# What is saved grows with the depth; one layer's features and their gradient are the least that there can be.
@pytest.mark.parametrize(
    ("spec", "overrides", "batch", "most"),
    [
        ("p4m_resnet", {}, 64, 0.6),
        ("all_cnn", {}, 64, 1.0),
        ("se3_cath_resnet34", {"size": 32}, 16, 0.6),
        ("octahedral_resnet", {}, 16, 0.6),
    ],
)
def test_peak_memory_of_a_step(spec, overrides, batch, most):
    more, processes = [], []
    for mode in ("keep", "again"):
        run = subprocess.run(
            [sys.executable, "-c", MEASURE, spec, json.dumps(overrides), str(batch), mode],
            capture_output=True,
            text=True,
            check=True,
        )
        (one, process_one), (all_, process) = json.loads(run.stdout.strip().splitlines()[-1])
        more.append(all_ - one)
        processes.append(process)
        print(f"\n{spec}, {mode}: tensors {all_:.0f} MiB with {batch} examples, {one:.0f} with one", end="")
        print(f"; process {process:.0f}, {process_one:.0f}")
    plain, again = map(round, more)
    numbers = {"plain_mib": plain, "rematerialized_mib": again, "saved_percent": round(100 * (1 - again / plain))}
    numbers |= {"process_plain_mib": round(processes[0]), "process_rematerialized_mib": round(processes[1])}
    keep(spec, numbers)
    assert more[1] < most * more[0]
