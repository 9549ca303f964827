"""The symmetry linter on networks for volumes."""

# ruff: noqa: E501 (one line for each case)

import numpy as np
import pytest

from keras_equivariant import groups
from keras_equivariant.compiler import build_from_spec, lint

NETWORK = """\
spec: 1
name: net
input: {shape: [8, 8, 8, 1]}
defaults:
  LiftingConv3D: {group: T, padding: same}
  GroupConv3D: {group: T, padding: same}
layers:
  - LiftingConv3D: {filters: 2, kernel_size: 3}
"""

BROKEN = {
    "- GroupConv3D: {filters: 2, kernel_size: 3, strides: 2}": "does not cover the 8 pixels of D, H and W symmetrically. Received: input_shape=(None, 8, 8, 8, 12, 2), group=\"T\"; use size 7 or 9, or kernel_size=4, or AveragePooling3D(2) before",
    "- MaxPooling3D: 3": "does not cover the 8 pixels of D, H and W symmetrically. Received: input_shape=(None, 8, 8, 8, 12, 2), group=\"T\"; use size 6 or 9, or pool_size=2",
    "- GroupPooling\n- Conv3D: {filters: 2, kernel_size: 3}": "a stock Conv3D does not commute with T; use LiftingConv3D or GroupConv3D, or a kernel of one pixel",
    "- GroupPooling\n- ZeroPadding3D: [[0, 1], [0, 1], [0, 1]]": "must treat all sides alike",
    "- GroupPooling\n- Cropping3D: [1, 0, 0]": "must treat all sides alike",
    "- Flatten": "use GroupPooling, then GlobalAveragePooling3D",
    "- UpSampling3D: [1, 2, 1]": "T swaps axes that grow by different factors, size=(1, 2, 1)",
    "- PReLU": "use shared_axes=[1, 2, 3, 4]",
}  # fmt: skip
WRONG = {
    "- LiftingConv3D: {filters: 2, kernel_size: 3}": "takes features of shape (B, D, H, W, C)",
    "- GroupConv2D: {filters: 2, kernel_size: 3, group: T}": "must have as many axes as the space that T acts on, 3. Received: kernel_size=(3, 3); use a group of the plane",
    "- GroupPooling\n- LiftingConv2D: {filters: 2, kernel_size: 3, group: C4}": "works on images. Received: image features of shape (None, 8, 8, 8, 2); use LiftingConv3D",
    "- MaxPooling2D: 2": "works on images. Received: regular T features of shape (None, 8, 8, 8, 12, 2); use MaxPooling3D",
    "- Conv3D: {filters: 3, kernel_size: 3}": "takes features with 5 axes. Received: regular T features of shape (None, 8, 8, 8, 12, 2); use GroupConv3D",
    "- GroupPooling\n- GroupPooling": "such features come from LiftingConv3D",
    "- GroupConv3D: {filters: 2, kernel_size: 3, group: O}": 'takes regular features of its own group, "O"',
    "- GlobalAveragePooling3D": "takes features with 5 axes",
}  # fmt: skip
SOUND = (
    "- AveragePooling3D: 2\n- GroupConv3D: {filters: 3, kernel_size: 3}\n- GroupPooling",
    "- GroupConv3D: {filters: 3, kernel_size: 4, strides: 2}\n- BatchNormalization: {activation: relu}\n- GroupPooling: max",
    "- UpSampling3D: {size: 2, interpolation: trilinear}\n- MaxPooling3D: {pool_size: 2, antialias: true}\n- GroupPooling: mean",
    "- GroupPooling: max\n- Conv3D: {filters: 4, kernel_size: 1}\n- ZeroPadding3D: 1\n- SpatialDropout3D: 0.1",
    "- residual: {main: [GroupConv3D: {filters: 2, kernel_size: 3}]}\n- GroupPooling: max",
)


def network(entries, pooled=True):
    lines = NETWORK + "".join(f"  {line}\n" for line in entries.splitlines())
    return lines + "  - GlobalAveragePooling3D\n" * pooled


@pytest.mark.parametrize("entries", [*BROKEN, *WRONG])
def test_problems_are_found_and_named(entries, write):
    problems = lint(write(network(entries, pooled=False)))
    assert problems[0].severity == "error"
    assert {**BROKEN, **WRONG}[entries] in problems[0].message


@pytest.mark.parametrize("entries", SOUND)
def test_sound_networks_pass_and_are_invariant(entries, write):
    path = write(network(entries))
    assert lint(path) == []
    model = build_from_spec(path)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 8, 1)).astype("float32")
    y = np.asarray(model(x))
    for element in (1, 5, 10):
        moved = np.ascontiguousarray(groups.act(x, "T", element, "image"))
        assert np.abs(np.asarray(model(moved)) - y).max() <= 1e-5 * np.abs(y).max()
    assert np.abs(y[0] - y[1]).max() > 1e-3 * np.abs(y).max()


def test_features_that_rotate_are_warned_of(write):
    (problem,) = lint(write(network("- ReLU", pooled=False)))
    assert "for an invariant answer end with GroupPooling and GlobalAveragePooling3D" in problem.message


def test_layers_of_space_in_a_network_on_the_plane(write):
    text = "spec: 1\nname: net\ninput: {shape: [8, 8, 1]}\nlayers:\n  - LiftingConv2D: {filters: 2, kernel_size: 3, group: D4, padding: same}\n"
    (problem, *_) = lint(write(text + "  - MaxPooling3D: 2\n"))
    assert (
        "works on volumes. Received: regular D4 features of shape (None, 8, 8, 8, 2); use MaxPooling2D"
        in problem.message
    )
    (problem, *_) = lint(write(text.replace("D4", "O")))
    assert 'that O acts on, 3. Received: kernel_size=(3, 3); use a group of the plane such as "C4"' in problem.message
    (problem, *_) = lint(write(text.replace("[8, 8, 1]", "[8, 8, 8, 1]").replace("2D", "3D")))
    assert 'that D4 acts on, 2. Received: kernel_size=(3, 3, 3); use a group of space such as "O"' in problem.message


def test_a_plain_network_is_not_judged(write):
    text = "spec: 1\nname: net\ninput: {shape: [9, 9, 9, 1]}\nlayers:\n  - Conv3D: {filters: 2, kernel_size: 3}\n"
    text += "  - BatchNormalization\n  - MaxPooling3D: 2\n  - Flatten\n  - Dense: 3\n"
    assert lint(write(text)) == []
    assert build_from_spec(write(text)).output_shape == (None, 3)
