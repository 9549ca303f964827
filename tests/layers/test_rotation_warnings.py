"""Frequencies that the pixels cannot rotate: one warning, and a remedy that is better between the angles."""

import re
import warnings

import keras
import pytest

import keras_equivariant as ke

ROUGH = [
    ("SO2", "1x0", "2x0 + 1x3", 5, {"frequency_cutoff": "nyquist"}),
    ("SO2", "2x1", "2x0 + 1x2", 3, {"frequency_cutoff": 3.0}),
    ("C8", "1x0", "1xregular", 5, {"frequency_cutoff": "nyquist"}),
    ("SO3", "1x2", "1x2", 5, {"frequency_cutoff": [0, 4, 6]}),
]
SMOOTH = [
    ("SO2", "1x0", "2x0 + 1x2", 5, {}),
    ("SO2", "1x0", "2x0 + 1x1", 5, {"frequency_cutoff": "nyquist"}),  # no field uses them
    ("D4", "1x0+", "1xregular", 5, {"frequency_cutoff": "nyquist", "basis": "steerable"}),  # no angle between
    ("SO3", "1x0", "1x1", 5, {}),
]


def built(group, in_type, out_type, size, arguments):
    rank = ke.groups.get(group).dimension
    layer = {2: ke.layers.SteerableConv2D, 3: ke.layers.SteerableConv3D}[rank]
    keras.utils.set_random_seed(0)
    layer = layer(in_type, out_type, size, group=group, padding="same", use_bias=False, **arguments)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        layer(keras.ops.zeros((1, *(11,) * rank, layer.in_type.size)))
        layer(keras.ops.zeros((1, *(13,) * rank, layer.in_type.size)))
    return layer, [str(warning.message) for warning in said]


@pytest.mark.parametrize("case", ROUGH, ids=str)
def test_high_frequencies_are_warned_of_once_and_the_remedy_has_none(case):
    layer, (text,) = built(*case)
    assert (
        "has frequencies that the pixels cannot rotate by any angle" in text and "Received: frequency_cutoff=" in text
    )
    size = re.search(r"use frequency_cutoff=None(?: and kernel_size=\((\d+), )?", text).group(1)
    group, in_type, out_type, old, _ = case
    better, said = built(group, in_type, out_type, int(size or old), {})
    assert not said
    assert layer.rotation_problem() and better.rotation_problem() is None


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_what_the_pixels_can_rotate_is_not_warned_of(case):
    assert built(*case)[1] == []


@pytest.mark.tensorflow
def test_the_remedy_is_better_between_the_angles():
    errors = {}
    for cutoff in ("nyquist", None):
        layer, _ = built("SO2", "2x2", "2x2", 5, {"frequency_cutoff": cutoff})
        image = keras.Input((13, 13, 4))
        errors[cutoff] = ke.certify(keras.Model(image, layer(image)), angles=8, layers=False).lie_derivative
    assert errors[None] < 0.6 * errors["nyquist"], errors


def test_a_spec_says_where():
    conv = {"out_type": "2x0 + 1x3", "kernel_size": 5, "group": "SO2", "padding": "same", "frequency_cutoff": "nyquist"}
    ends = ["NormPooling", "GlobalAveragePooling2D"]
    spec = {"spec": 1, "name": "net", "input": {"shape": [9, 9, 1]}, "layers": [{"SteerableConv2D": conv}, *ends]}
    (problem,) = ke.lint(spec)
    assert problem.severity == "warning" and problem.where.path == "layers[0].SteerableConv2D"
    with pytest.warns(UserWarning, match="frequencies that the pixels cannot rotate") as said:
        ke.build_from_spec(spec)
    assert len(said) == 1
