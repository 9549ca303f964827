"""Whole networks with blocks against the plain ones of equal channels: exported, batch 1, and trained on a CPU.

Run by hand on a quiet machine: `pytest -n 0 -m benchmark -s tests/benchmarks/test_networks_in_blocks.py`.
"""

import pathlib

import keras
import numpy as np
import pytest
import yaml
from runtimes import RUNTIMES
from timing import compare, keep

import keras_equivariant as ke
from keras_equivariant.export.folding import blocks

pytestmark = pytest.mark.benchmark
SPECS = pathlib.Path(ke.__file__).parent / "specs"
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SIZE = 32


def convnext(group, normalization):
    """`group_convnext` of 512 channels in every stage: on D4 that is 64 fields."""
    text = (SPECS / "group_convnext.yaml").read_text()
    for wider in ("${2 * fields}", "${4 * fields}", "${8 * fields}"):
        text = text.replace(wider, "${fields}")
    params = {"width": 512, "depths": [2, 2, 2, 2], "normalization": normalization, "layer_scale": 1.0}
    return ke.build_from_spec(yaml.safe_load(text), group=group, **params)


def mobilenet(group):
    return ke.build_from_spec("group_mobilenet", group=group, alpha=4.0)


NETWORKS = {
    "convnext_layer": lambda group: convnext(group, "layer"),
    "convnext_batch": lambda group: convnext(group, "batch"),
    "mobilenet": mobilenet,
}
TARGETS = {"tflite": 0.5, "saved_model": 0.7, "file": 0.25, "training": 0.75}


def check(network, ratios):
    """A row of the results for each ratio; then the targets, which are of the networks of 64 fields everywhere."""
    for what, ratio in ratios.items():
        keep(f"{network}_{what}", {"ratio": round(ratio, 2)})
    missed = {what: ratio for what, ratio in ratios.items() if ratio > TARGETS[what] and network != "mobilenet"}
    assert not missed


@pytest.mark.parametrize("name", NETWORKS)
def test_exported(tmp_path, name):
    x = np.random.default_rng(0).normal(size=(1, SIZE, SIZE, 3)).astype("float32")
    exported = {
        group: ke.export(NETWORKS[name](group), tmp_path / group, ["tflite", "saved_model"], verify=False)
        for group in ("D4", "Z2")
    }
    ratios = {}
    for runtime in ("tflite", "saved_model"):
        runs = [RUNTIMES[runtime](exported[group].path(runtime), x) for group in ("D4", "Z2")]
        *times, ratios[runtime] = compare(*runs, rounds=20)
        print(f"\n{name}, {runtime}: {1e3 * times[0]:.2f} / {1e3 * times[1]:.2f} ms, {ratios[runtime]:.3f}")
    sizes = [exported[group].artifacts[0].size for group in ("D4", "Z2")]
    ratios["file"] = sizes[0] / sizes[1]
    print(f"file: {sizes[0]:,} / {sizes[1]:,} bytes, {ratios['file']:.3f}\n{exported['D4']}")
    check(name, ratios)


@pytest.mark.parametrize("name", ["convnext_layer", "convnext_batch"])
def test_training_step(name):
    rng = np.random.default_rng(0)
    images, labels = rng.random((8, SIZE, SIZE, 3), "float32"), rng.integers(0, 10, 8)
    steps = []
    for group in ("D4", "Z2"):
        model = NETWORKS[name](group)
        model.compile("adam", LOSS, jit_compile=False)
        steps.append(lambda model=model: model.train_on_batch(images, labels))
    *times, ratio = compare(*steps, rounds=9, warmup=2)
    print(f"\ntraining step, {name}: {1e3 * times[0]:.0f} / {1e3 * times[1]:.0f} ms, {ratio:.3f}")
    check(name, {"training": ratio})


@pytest.mark.parametrize("alpha", [1.0, 2.0, 4.0])
def test_features_in_the_fourier_basis(tmp_path, monkeypatch, alpha):
    """What it saves in TFLite that bottlenecks are summed and read without transforms."""
    model = ke.build_from_spec("group_mobilenet", alpha=alpha)
    x = np.random.default_rng(0).normal(size=(1, SIZE, SIZE, 3)).astype("float32")
    stays = ke.export(model, tmp_path / "stays", "tflite", verify=False, pointwise="blocks")
    monkeypatch.setattr(blocks._Blocks, "_reads", lambda *_: False)
    monkeypatch.setattr(blocks, "summed", lambda *_: None)
    back = ke.export(model, tmp_path / "back", "tflite", verify=False, pointwise="blocks")
    *times, ratio = compare(*(RUNTIMES["tflite"](one.path("tflite"), x) for one in (stays, back)), rounds=20)
    print(f"\nmobilenet, alpha={alpha}: {1e3 * times[0]:.2f} / {1e3 * times[1]:.2f} ms, {ratio:.3f}")
    keep(f"fourier_basis_{alpha:g}", {"ratio": round(ratio, 2)})
    assert ratio <= 1.0
