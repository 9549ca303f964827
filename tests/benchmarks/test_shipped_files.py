"""What the networks of an experiment cost where they are shipped: one thread of TFLite, one example at a time.

Run by hand on a quiet machine: `pytest -n 0 -m benchmark -s tests/benchmarks/test_shipped_files.py`. The networks of a
file of results are built, folded and exported, and timed in turns; with KERAS_EQUIVARIANT_RECORD=1 in the environment
the times are written into the rows.
"""

import os
import pathlib
import statistics

import numpy as np
import pytest
from runtimes import RUNTIMES
from timing import seconds

import keras_equivariant as ke
from keras_equivariant.results import add_times, load_experiment
from keras_equivariant.results.check import built, resolved

pytestmark = pytest.mark.benchmark
RESULTS = pathlib.Path(__file__).parents[2] / "tutorials" / "results"
SHOWN = "tflite_ms"
EXPERIMENTS = sorted(path.stem for path in RESULTS.glob("*.yaml") if SHOWN in path.read_text())
ROUNDS = 60


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_latency(name, tmp_path):
    rows = load_experiment(RESULTS / f"{name}.yaml").rows
    runs, sizes, of = {}, {}, {}
    for row in rows.values():
        spec = resolved(row)
        of[row.name] = spec.digest
        if spec.digest in runs:
            continue
        model = built(spec)
        x = np.random.default_rng(0).random((1, *model.inputs[0].shape[1:]), "float32")
        exported = ke.export(model, tmp_path / spec.digest, "tflite", verify=False)
        runs[spec.digest] = RUNTIMES["tflite"](exported.path("tflite"), x)
        sizes[spec.digest] = exported.artifacts[0].size
    times = {digest: [] for digest in runs}
    for _ in range(ROUNDS):
        for digest, run in runs.items():
            times[digest].append(seconds(run))
    found = {
        row: {SHOWN: float(f"{1e3 * statistics.median(times[digest]):.4g}"), "tflite_bytes": sizes[digest]}
        for row, digest in of.items()
    }
    for row, numbers in found.items():
        print(f"\n{name}, {row}: {numbers[SHOWN]} ms, {numbers['tflite_bytes']:,} bytes")
    if os.environ.get("KERAS_EQUIVARIANT_RECORD"):
        command = "pytest -n 0 -m benchmark -s tests/benchmarks/test_shipped_files.py"
        add_times(RESULTS / f"{name}.yaml", found, command)
