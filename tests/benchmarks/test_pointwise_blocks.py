"""One 1x1 group convolution in blocks against the dense matrix, exported, batch 1, by runtime; ratios of pairs.

Run by hand: `pytest -n 0 -m benchmark -s tests/benchmarks/test_pointwise_blocks.py`. The last test prints the constants
of `export/folding/block_rule.py` that fit what was measured.
"""

import keras
import numpy as np
import pytest
from runtimes import RUNTIMES
from timing import compare, keep

import keras_equivariant as ke
from keras_equivariant.export.folding.block_rule import moved
from keras_equivariant.kernels import fast_fourier

pytestmark = pytest.mark.benchmark
# (group, fields, pixels along an axis), and what TFLite is to reach.
CASES = [("D4", 16, 16), ("D4", 32, 16), ("D4", 64, 16), ("D4", 128, 16), ("D4", 32, 8), ("D4", 32, 32)]
CASES += [("O", 8, 8), ("O", 16, 8), ("O", 32, 8)]
TARGETS = {("D4", 32, 16): 0.6, ("D4", 64, 16): 0.4, ("D4", 128, 16): 0.27, ("O", 16, 8): 0.5, ("O", 32, 8): 0.3}
measured = {name: [] for name in RUNTIMES}


def layer(group, fields, size):
    group = ke.groups.get(group)
    image = keras.Input((*(size,) * group.dimension, group.order, fields))
    convolution = {2: ke.layers.GroupConv2D, 3: ke.layers.GroupConv3D}[group.dimension]
    return keras.Model(image, convolution(fields, 1, group)(image), name="layer")


@pytest.mark.parametrize("group, fields, size", CASES)
def test_one_layer(tmp_path, group, fields, size):
    model = layer(group, fields, size)
    x = np.random.default_rng(0).normal(size=(1, *model.input_shape[1:])).astype("float32")
    ratios = {}
    for runtime in RUNTIMES:
        runs = []
        for form in ("blocks", "dense"):
            exported = ke.export(model, tmp_path / form, runtime, verify=False, pointwise=form)
            runs.append(RUNTIMES[runtime](exported.path(runtime), x))
        *times, ratio = compare(*runs, rounds=30)
        print(f"\n{runtime}, {group}, {fields} fields: {1e3 * times[0]:.2f} / {1e3 * times[1]:.2f} ms, {ratio:.3f}")
        measured[runtime].append((group, fields, size, ratio))
        ratios[runtime] = round(ratio, 2)
    keep(f"{group}_{fields}_{size}", ratios)
    assert ratios["tflite"] <= TARGETS.get((group, fields, size), np.inf)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_constants_of_the_rule(runtime):
    rows = []
    for group, fields, size, ratio in measured[runtime]:
        fourier = fast_fourier(group)
        pixels = size ** ke.groups.get(group).dimension
        dense = fourier.order**2 * fields**2 * pixels
        numbers, _, operations = moved(fourier, fields, fields)
        more = ratio - fourier.products / fourier.order**2
        rows.append((numbers * pixels / dense, operations / dense, more))
    if len(rows) < 2:
        pytest.skip("nothing was measured in this process")
    rows = np.array(rows) / np.array(rows)[:, 2:].clip(0.05)  # relative errors alike
    constants, *_ = np.linalg.lstsq(rows[:, :2], rows[:, 2], rcond=None)
    print(f"\n{runtime}: per_number={constants[0]:.3g}, per_operation={constants[1]:.3g}")
