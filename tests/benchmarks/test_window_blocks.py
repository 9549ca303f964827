"""One group convolution with a window in blocks against the dense one, exported, batch 1, by runtime; ratios of pairs.

Run by hand: `pytest -n 0 -m benchmark -s tests/benchmarks/test_window_blocks.py`.
"""

import keras
import numpy as np
import pytest
from runtimes import RUNTIMES
from timing import compare, keep

import keras_equivariant as ke
from keras_equivariant.export.formats import registry
from keras_equivariant.kernels import fast_fourier

pytestmark = pytest.mark.benchmark
# (group, fields, pixels along an axis, window, strides)
CASES = [("D4", 16, 16, 3, 1), ("D4", 32, 16, 3, 1), ("D4", 64, 16, 3, 1), ("D4", 32, 32, 3, 1), ("D4", 16, 16, 5, 1)]
CASES += [("D4", 32, 16, 2, 2), ("C4", 32, 16, 3, 1), ("C4", 64, 16, 3, 1), ("O", 4, 8, 3, 1), ("O", 8, 8, 3, 1)]


def layer(group, fields, size, window, strides):
    group = ke.groups.get(group)
    image = keras.Input((*(size,) * group.dimension, group.order, fields))
    convolution = {2: ke.layers.GroupConv2D, 3: ke.layers.GroupConv3D}[group.dimension]
    padding = "same" if strides == 1 else "valid"
    return keras.Model(image, convolution(fields, window, group, strides=strides, padding=padding)(image), name="layer")


@pytest.mark.parametrize("case", CASES, ids=lambda case: "_".join(map(str, case)))
def test_one_layer(tmp_path, case):
    """Where the rule of a format takes blocks, they are not slower."""
    model = layer(*case)
    group, fields, size, window, strides = case
    x = np.random.default_rng(0).normal(size=(1, *model.input_shape[1:])).astype("float32")
    ratios, slower = {}, []
    for runtime, loaded in RUNTIMES.items():
        runs = []
        for form in ("blocks", "dense"):
            exported = ke.export(model, tmp_path / form, runtime, verify=False, pointwise=form)
            runs.append(loaded(exported.path(runtime), x))
        *times, ratio = compare(*runs, rounds=20)
        print(f"\n{runtime}, {case}: {1e3 * times[0]:.2f} / {1e3 * times[1]:.2f} ms, {ratio:.3f}")
        ratios[runtime] = round(ratio, 2)
        dimension = ke.groups.get(group).dimension
        rule, pixels = registry.get(runtime).pointwise, (size // strides) ** dimension
        if rule.pays(fast_fourier(group), fields, fields, pixels, window**dimension) and ratio > 1.05:
            slower.append(runtime)
    keep("_".join(map(str, case)), ratios)
    assert not slower
