"""The symmetry linter: what it finds, what it lets pass, and that it is right about both."""

# ruff: noqa: E501 (one line for each case)

import pathlib
import warnings

import numpy as np
import pytest

from keras_equivariant.compiler import SpecError, build_from_spec, lint, list_specs, load_spec, trace

SPECS = pathlib.Path(__file__).parents[2] / "specs"


def rotation_change(model, size=None):
    """How much the output changes when the input rotates by 90 degrees, relative to its largest entry."""
    shape = model.input_shape[1:]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    y, rotated = (np.asarray(model(v)) for v in (x, np.rot90(x, 1, axes=(1, 2)).copy()))
    return np.abs(y - rotated).max() / np.abs(y).max()


BROKEN = {
    "strides": ("- GroupConv2D: {filters: 3, kernel_size: 3, strides: 2}", "does not cover the 8 pixels of H and W symmetrically. Received: input_shape=(None, 8, 8, 8, 4), group=\"D4\"; use size 7 or 9"),
    "pooling": ("- MaxPooling2D: 3", "does not cover the 8 pixels of H and W symmetrically. Received: input_shape=(None, 8, 8, 8, 4), group=\"D4\"; use size 6 or 9, or pool_size=2"),
    "normalization": ("- BatchNormalization: {axis: 3}", "treats positions or group elements differently. Received: axis=3; use axis=-1"),
    "layer normalization": ("- LayerNormalization: {axis: [3, 4]}", "treats positions or group elements differently. Received: axis=[3, 4]"),
    "softmax": ("- Softmax: {axis: 1}", "treats positions or group elements differently. Received: axis=1"),
    "slopes": ("- PReLU", "has its own slope at every position. Received: regular D4 features of shape (None, 8, 8, 8, 4); use shared_axes=[1, 2, 3]"),
    "concatenation": ("- parallel: {branches: [[ReLU], []], merge: {Concatenate: {axis: 1}}}", "must join channels. Received: axis=1; use axis=-1"),
    "flattening": ("- Flatten", "use GroupPooling, then GlobalAveragePooling2D"),
    "reshaping": ("- Reshape: [8, 8, 4, 8]", "mixes positions, group elements and channels"),
    "late flattening": ("- GroupPooling: max\n- Flatten", "Received: image features of shape (None, 8, 8, 4); use GlobalAveragePooling2D"),
    "stock convolution": ("- GroupPooling: max\n- Conv2D: {filters: 4, kernel_size: 3}", "a stock Conv2D does not commute with D4; use LiftingConv2D or GroupConv2D, or a kernel of one pixel"),
    "strided pointwise": ("- GroupPooling: max\n- Conv2D: {filters: 4, kernel_size: 1, strides: 2}", "a stock Conv2D does not commute with D4"),
    "uneven border": ("- GroupPooling: max\n- ZeroPadding2D: [[0, 1], [0, 1]]", "must treat all sides alike. Received: ((0, 1), (0, 1))"),
    "unequal border": ("- GroupPooling: max\n- Cropping2D: [1, 0]", "must treat all sides alike. Received: ((1, 1), (0, 0))"),
    **{f"batch {axis}": (f"- parallel: {{branches: [[], []], merge: {{Concatenate: {{axis: {axis}}}}}}}", f"not examples of a batch. Received: axis={axis}; use axis=-1") for axis in (0, -5)},
    "lost features": ("- parallel: {branches: [[GroupPooling: max], [GroupPooling: max, {LiftingConv2D: {filters: 1, kernel_size: 3}}, {Reshape: [8, 8, 8]}]], merge: Concatenate}", "mixes positions, group elements and channels"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_symmetry_is_an_error(name, in_network, write):
    entries, message = BROKEN[name]
    path = write(in_network(entries, pooled=False))
    problems = lint(path)
    assert problems[0].severity == "error"
    assert message in problems[0].message
    assert 15 <= problems[0].where.line <= 17
    with pytest.raises(SpecError) as caught:
        build_from_spec(path)
    assert str(problems[0]) in str(caught.value).splitlines()


TRULY_BROKEN = {
    "strides": "- GroupConv2D: {filters: 3, kernel_size: 3, strides: 2, strict: false}\n- GroupPooling: max\n- GlobalMaxPooling2D",
    "pooling": "- MaxPooling2D: {pool_size: 3, strict: false}\n- GroupPooling: max\n- GlobalMaxPooling2D",
    "flattening": "- GroupPooling: max\n- Flatten: {strict: false}\n- Dense: 3",
    "stock convolution": "- GroupPooling: max\n- Conv2D: {filters: 4, kernel_size: 3, strict: false}\n- GlobalMaxPooling2D",
    "uneven border": "- GroupPooling: max\n- ZeroPadding2D: {padding: [[0, 1], [0, 1]], strict: false}\n- LiftingConv2D: {filters: 2, kernel_size: 3}\n- GroupPooling: max\n- MaxPooling2D: 3\n- GlobalAveragePooling2D",
}  # fmt: skip


@pytest.mark.parametrize("name", TRULY_BROKEN)
def test_what_is_reported_does_break_the_symmetry(name, in_network, write):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = build_from_spec(write(in_network(TRULY_BROKEN[name], pooled=False)))
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith("net is not exactly equivariant or invariant:\nnet.yaml:1")
    assert rotation_change(model) > 1e-3


SOUND = {
    "pointwise": "- ReLU\n- Dense: 5\n- Dropout: 0.5\n- LayerNormalization\n- Softmax\n- GroupNormalization: {groups: 5}\n- PReLU: {shared_axes: [1, 2, 3]}",
    "branches": "- parallel: {branches: [[unit: 4], [unit: 5], []], merge: Concatenate}\n- residual: {main: [unit: 13]}",
    "even windows": "- AveragePooling2D: 2\n- unit: 4\n- UpSampling2D: 2\n- MaxPooling2D: {pool_size: 3, strides: 1, padding: same}",
    "after pooling": "- GroupPooling: mean\n- Conv2D: {filters: 6, kernel_size: 1}\n- ZeroPadding2D: 1\n- Cropping2D: 2\n- SpatialDropout2D: 0.5\n- LiftingConv2D: {filters: 3, kernel_size: 3}",
    "one pixel": "- AveragePooling2D: 8\n- GroupPooling: max\n- Flatten\n- Dense: 8\n- Reshape: [2, 4]\n- GroupNormalization: {groups: 2}\n- Reshape: [1, 1, 2, 4]",
    "cosets": "- GroupPooling: {group: D4, subgroup: C4}\n- ReLU\n- MaxPooling2D: 2",
    "everything at once": "- ReLU\n- GlobalMaxPooling3D",
}  # fmt: skip

POOLED_ALREADY = ("one pixel", "everything at once")


@pytest.mark.parametrize("name", SOUND)
def test_sound_networks_pass_and_are_invariant(name, in_network, write):
    path = write(in_network(SOUND[name], pooled=name not in POOLED_ALREADY))
    assert lint(path) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = build_from_spec(path)
    assert rotation_change(model) < 1e-5


WRONG = {
    "- Conv2D: {filters: 3, kernel_size: 3}": "takes features with 4 axes. Received: regular D4 features of shape (None, 8, 8, 8, 4); use GroupConv2D",
    "- GlobalAveragePooling2D": "takes features with 4 axes. Received: regular D4 features of shape (None, 8, 8, 8, 4); use GroupPooling before it, or GlobalAveragePooling3D",
    "- ZeroPadding2D: 1": "use it before LiftingConv2D or after GroupPooling",
    "- GroupPooling: max\n- GroupPooling: max": "takes features with a group axis. Received: image features of shape (None, 8, 8, 4); such features come from LiftingConv2D",
    "- GroupConv2D: {filters: 3, kernel_size: 3, group: C8}": 'takes regular features of its own group, "C8". Received: regular D4 features',
    "- MaxPooling2D: {group: C8}": 'takes regular features of its own group, "C8". Received: regular D4 features',
    "- GroupPooling: {group: D4, subgroup: C4}\n- GroupConv2D: {filters: 3, kernel_size: 3, group: C2}": "takes regular features. Received: quotient(C4) features",
    "- LiftingConv2D: {filters: 3, kernel_size: 3}": "LiftingConv2D",
    "- residual: {main: [unit: 4], shortcut: [GroupPooling: max]}": "merges features that transform differently: regular D4 and image",
}  # fmt: skip


@pytest.mark.parametrize("entries", WRONG)
def test_layers_on_the_wrong_features(entries, in_network, write):
    problems = lint(write(in_network(entries)))
    assert problems[0].severity == "error"
    assert WRONG[entries] in problems[0].message


def test_a_stock_convolution_before_lifting_is_found(in_network, write):
    text = in_network("- ReLU").replace(
        "layers:\n", "layers:\n  - Conv2D: {filters: 3, kernel_size: 3, padding: same}\n"
    )
    (problem,) = lint(write(text))
    assert str(problem).startswith("net.yaml:14: layers[0].Conv2D: a stock Conv2D does not commute with D4")


def test_all_problems_at_once(in_network, write):
    entries = "- GroupConv2D: {filters: 3, kernel_size: 3, strides: 2}\n- ReLU\n- GroupConv2D: {filters: 3, kernel_size: 3, strides: 2}"
    with pytest.raises(SpecError) as caught:
        build_from_spec(write(in_network(entries)))
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == ["net.yaml:15", "net.yaml:17"]


def test_one_strict_layer_is_enough_to_refuse(in_network, write):
    entries = "- MaxPooling2D: {pool_size: 3, strict: false}\n- MaxPooling2D: {pool_size: 1, strides: 2}"
    problems = lint(write(in_network(entries)))
    assert [problem.severity for problem in problems] == ["warning", "error"]
    with pytest.raises(SpecError):
        build_from_spec(write(in_network(entries)))


def test_strict_may_come_from_the_defaults(in_network, write):
    text = in_network("- Flatten", pooled=False).replace("defaults:\n", "defaults:\n  Flatten: {strict: false}\n")
    with pytest.warns(UserWarning, match="makes each position and group element a channel of its own"):
        build_from_spec(write(text))


def test_a_group_without_quarter_turns_is_judged_by_its_own_moves(in_network, write):
    text = in_network(
        "- GroupPooling: max\n- Cropping2D: [1, 0]\n- MaxPooling2D: [3, 2]\n- LiftingConv2D: {filters: 2, kernel_size: 3}"
    )
    assert lint(write(text.replace("D4", "D2"))) == []
    border, window = lint(write(text))
    assert "must treat all sides alike" in border.message
    assert "D4 swaps axes along which the window differs, pool_size=(3, 2), strides=(3, 2)" in window.message
    model = build_from_spec(write(text.replace("D4", "D2")))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(model(x), model(x[:, ::-1]), atol=1e-5)
    assert np.abs(model(x) - model(np.rot90(x, 1, (1, 2)).copy())).max() > 1e-4


def test_a_plain_network_is_not_judged():
    layers = [
        {"Conv2D": {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}},
        {"MaxPooling2D": 3},
        "Flatten",
    ]
    spec = {"spec": 1, "name": "plain", "input": {"shape": [9, 8, 3]}, "layers": layers}
    assert lint(spec) == []
    assert build_from_spec(spec).output_shape == (None, 3)


def test_unknown_sizes_count_as_symmetric_and_the_model_says_which_are(in_network, write):
    text = in_network("- GroupConv2D: {filters: 3, kernel_size: 3, strides: 2}")
    assert lint(write(text)) != []
    path = write(text.replace("[8, 8, 1]", "[null, null, 1]"))
    assert lint(path) == []
    with pytest.warns(UserWarning, match="GroupConv2D .* keeps its exact symmetry only on odd sizes of H and W"):
        build_from_spec(path)


def test_an_answer_that_rotates_is_a_warning(in_network, write):
    text = in_network("- ReLU", pooled=False)
    (problem,) = lint(write(text))
    assert problem.severity == "warning"
    assert "the network ends with regular D4 features, which rotate with the input" in problem.message
    with pytest.warns(UserWarning, match="ends with regular D4 features"):
        build_from_spec(write(text))


def test_the_walk_builds_nothing():
    walked = trace(load_spec("p4m_resnet", blocks=1))
    assert walked.problems == [] and walked.errors == []
    # Keras makes global poolings built; without weights there is nothing that was built.
    assert not any(traced.layer.built and not _born_built(traced.layer) for traced in walked.layers)
    assert not any(traced.layer.weights for traced in walked.layers)
    assert (walked.output.shape, str(walked.output.layout)) == ((None, 10), "invariant")


def test_the_walk_prints_line_layer_layout_and_shape():
    lines = str(trace(load_spec("p4_cnn"))).splitlines()
    words = [line.split(maxsplit=2) for line in lines]
    assert words[1][1] == "LiftingConv2D"
    assert words[1][0].startswith("p4_cnn.yaml:")
    assert words[1][2] == "regular C4  (None, 26, 26, 4, 10)"
    assert [w[2].split("  ")[0] for w in words[-3:]] == ["regular C4", "image", "invariant"]


@pytest.mark.parametrize("name", list_specs())
def test_packaged_specs_have_no_problems(name):
    problems = lint(name)
    if name.startswith("e2_wrn"):  # their published bases have the highest frequencies
        assert {p.severity for p in problems} == {"warning"}
        assert all("frequencies that the pixels cannot rotate" in p.message for p in problems)
        return
    assert problems == []


def _born_built(layer):
    return type(layer).from_config(layer.get_config()).built


def test_the_nearest_input_sizes_of_the_whole_network_are_named():
    *inner, last = lint("p4m_resnet", size=150, blocks=1)
    assert "input_shape=(None, 75, 75, 8, 23)" in str(inner[0]) and "this layer would take size 74 or 76" in str(
        inner[0]
    )
    assert "the whole network keeps its symmetry on inputs of size 148 and 152. Received: size 150" in str(last)
    for size in (148, 152):  # the remedy is one, and no size between is
        assert lint("p4m_resnet", size=size, blocks=1) == []
    assert all(lint("p4m_resnet", size=size, blocks=1) for size in (149, 151))


@pytest.mark.parametrize(("size", "found"), [((33, 45), "32x40 and 40x48"), ((45, 32), "40x32 and 48x32")])
def test_the_nearest_sizes_of_images_that_are_no_squares_are_named(size, found):
    *inner, last = lint("d4_unet", size=size)
    assert all("; use size" not in str(problem) for problem in inner)
    assert f"on inputs of size {found}. Received: size {size[0]}x{size[1]}; use size=[" in str(last)
    for near in found.split(" and "):
        assert lint("d4_unet", size=[*map(int, near.split("x"))]) == []


def test_sizes_are_those_of_the_recipe_where_it_resizes():
    resizing = {"spec": 1, "extends": "p4_cnn", "name": "own", "training": {"preprocess": ["contrast", {"resize": 14}]}}
    *_, last = lint(resizing, size=14)
    assert "--set size=28, and `resize: 28` in its recipe's `preprocess` where it is trained" in str(last)
    *_, last = lint("p4_cnn", size=14)
    assert "--set size=28, and --size 28 28 where it is trained" in str(last)


def test_no_sizes_are_tried_for_what_no_size_mends(monkeypatch, tmp_path):
    from keras_equivariant.compiler.linter import linter

    walked, tried = linter._walked, []
    monkeypatch.setattr(linter, "_walked", lambda spec, known: tried.append(spec.input_shape[0]) or walked(spec, known))
    text = (SPECS / "se3_cath_resnet34.yaml").read_text().replace("scalars: 256 ", "scalars: 256 or so ")
    (tmp_path / "net.yaml").write_text(text)
    (problem,) = lint(tmp_path / "net.yaml", size=50)
    assert "which stops making sense" in str(problem) and tried == [50, 49, 51]


def test_layers_are_made_once_for_all_sizes(monkeypatch):
    from keras_equivariant.compiler.linter import linter

    make, walked, made, tried = linter._Walker._made, linter._walked, [], []
    monkeypatch.setattr(linter._Walker, "_made", lambda *args: made.append(args[1].layer) or make(*args))
    monkeypatch.setattr(linter, "_walked", lambda *args: tried.append(args[0]) or walked(*args))
    assert lint("p4m_resnet", size=33)
    assert len(tried) > 3 and len(made) < 1.5 * len(list(linter.flat(tried[0].layers)))


def test_sizes_that_differ_along_the_axes():
    assert load_spec("p4_cnn", size=[32, 28]).input_shape == (32, 28, 1)
    assert lint("p4m_resnet", size=[48, 32], blocks=1) == []
