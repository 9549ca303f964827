"""Peak memory of a training step that keeps its features, and of one that computes them again.

Run by hand: `pytest -n 0 -m benchmark -s tests/benchmarks/test_rematerialize_memory.py`.
"""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.benchmark

MEASURE = """
import json, resource, sys
import keras, numpy as np
import keras_equivariant as ke
spec, batch, again = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "again"
model = ke.build_from_spec(spec)
trained = ke.rematerialize(model) if again else model
trained.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
x, y = np.zeros((batch, *model.input_shape[1:]), "float32"), np.zeros(batch, int)
peaks = []
for count in (1, batch):  # what one image needs is mostly the compilers' own
    trained.train_on_batch(x[:count], y[:count])
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(json.dumps(peaks))
"""


# What is saved grows with the depth: 44 layers and 9.
@pytest.mark.parametrize(("spec", "batch", "most"), [("p4m_resnet", 64, 0.6), ("all_cnn", 64, 1.0)])
def test_peak_memory_of_a_step(spec, batch, most):
    more = []
    for mode in ("keep", "again"):
        run = subprocess.run(
            [sys.executable, "-c", MEASURE, spec, str(batch), mode], capture_output=True, text=True, check=True
        )
        one, all_ = json.loads(run.stdout.strip().splitlines()[-1])
        more.append(all_ - one)
        print(f"\n{spec}, {mode}: {all_:.0f} MiB with {batch} images, {one:.0f} MiB with one")
    assert more[1] < most * more[0]
