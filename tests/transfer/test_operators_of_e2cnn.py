"""Partial differential operators of e2cnn's R2Diffop, recorded, as kernels of `basis="pdo"`."""

import pathlib

import numpy as np
import pytest

import keras_equivariant as ke

RECORDED = np.load(pathlib.Path(__file__).with_name("e2cnn.npz"))
TYPES = {"C8": "1xregular", "D4": "1xregular", "SO2": "1x0 + 1x1 + 1x2"}
SAME = {
    "C8 differences": {},
    "C8 differences of order 2": {"maximum_order": 2},
    "C8 differences of accuracy 2": {"maximum_order": 2, "accuracy": 2},
    "SO2 differences": {},
    # "exp(-(r / s^2)^2)" is written there: the deviation is not the s that is given, but s^2 / sqrt(2).
    "C8 Gaussian": {"discretization": "gauss", "smoothing": 1.25**2 / np.sqrt(2)},
    "SO2 Gaussian": {"discretization": "gauss", "smoothing": 1.3**2 / np.sqrt(2), "maximum_order": 2},
}


def layer_for(name, **options):
    group, filters = name.split()[0], RECORDED[f"{name}/filter"]
    words = {"group": group, "basis": "pdo", "use_bias": False, **options}
    layer = ke.layers.SteerableConv2D("1xtrivial", TYPES[group], filters.shape[-1], **words)
    layer.build((None, 9, 9, 1))
    return layer, filters


@pytest.mark.parametrize("name", SAME)
def test_same_operators(name):
    layer, filters = layer_for(name, **SAME[name])
    assert layer.count_params() == RECORDED[f"{name}/weights"]  # as many operators, and the same
    assert ke.import_filters(layer, filters, "escnn") < 1e-6


def test_other_discretizations_are_other_operators():
    for name, options in (
        ("C8 RBF-FD", {}),
        ("C8 Gaussian", {"discretization": "gauss", "smoothing": 1.25}),
        ("D4 differences", {}),
    ):
        layer, filters = layer_for(name, **options)
        with pytest.raises(ValueError, match="must lie on the layer's basis"):
            ke.import_filters(layer, filters, "escnn")
    # On groups with mirrors e2cnn's operators do not commute with its own mirrors, but with the rotations.
    errors = RECORDED["D4 differences/errors"]
    assert errors[:4].max() < 1e-6 and errors[4:].min() > 1
