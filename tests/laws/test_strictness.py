"""Every kind of window that breaks a symmetry is refused, with remedies that work, and nothing that is exact is."""

import re
import time
import warnings

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.normal(size=shape)


def error_of(layer, group, x):
    return max(ke.equivariance_error(layer, group, x).values())


DIFFERING = {
    "strides": lambda: (layers.LiftingConv2D(2, 3, group="D4", strides=(1, 2), padding="same"), (1, 9, 9, 1)),
    "dilation": lambda: (layers.GroupConv2D(2, 3, group="C4", dilation_rate=(1, 2)), (1, 9, 9, 4, 1)),
    "harmonic strides": lambda: (layers.HarmonicConv2D(1, 3, strides=(1, 2)), (1, 9, 9, 1)),
    "steerable strides": lambda: (layers.SteerableConv2D("1x0", "1x1", 3, "SO2", strides=(2, 1)), (1, 9, 9, 1)),
    "transposed strides": lambda: (layers.GroupConv2DTranspose(1, 3, "D4", strides=(1, 3)), (1, 5, 5, 8, 1)),
    "output padding": lambda: (
        layers.GroupConv2DTranspose(1, 3, "D4", strides=3, padding="same", output_padding=(0, 2)),
        (1, 5, 5, 8, 1),
    ),
    "pool size": lambda: (layers.MaxPooling2D((1, 3), strides=1, group="D4"), (1, 9, 9, 1)),
    "pool strides": lambda: (layers.AveragePooling2D(1, strides=(1, 2)), (1, 9, 9, 1)),
    "pooling in space": lambda: (layers.AveragePooling3D((1, 1, 3), strides=1, group="O"), (1, 5, 5, 5, 1)),
    "longest": lambda: (layers.NormMaxPooling2D("1x1", "SO2", (1, 3), strides=1), (1, 9, 9, 2)),
}


@pytest.mark.parametrize("name", DIFFERING)
def test_windows_that_differ_along_swapped_axes_are_refused(name):
    layer, shape = DIFFERING[name]()
    with pytest.raises(ValueError, match=r"swaps axes along which the window differs, .*Received: .*; use "):
        layer.build(shape)
    assert layer.window_problem(shape).remedies


def test_a_pooling_takes_the_group_of_what_comes_in():
    inputs = keras.Input((8, 8, 1))
    half_turns = layers.LiftingConv2D(1, 3, "C2", padding="same")(inputs)
    pooled = layers.AveragePooling2D(1, strides=(1, 7))(keras.layers.ReLU()(half_turns))
    model = keras.Model(inputs, layers.GroupPooling()(pooled))
    assert ke.certify(model, layers=False).exact
    quarter_turns = layers.LiftingConv2D(1, 3, "C4", padding="same")(inputs)
    with pytest.raises(ValueError, match="C4 swaps axes"):
        layers.AveragePooling2D(1, strides=(1, 7))(quarter_turns)


@pytest.mark.parametrize(
    ("layer", "group", "shape"),
    [
        (lambda: layers.AveragePooling3D(3, strides=3, antialias=True, group="O"), "O", (1, 6, 6, 6, 1)),
        (lambda: layers.AveragePooling2D(3, strides=(2, 3), antialias=True, group="D2"), "D2", (1, 9, 12, 1)),
        (lambda: layers.MaxPooling2D(2, strides=(2, 3), antialias=True, group="D2"), "D2", (1, 8, 8, 1)),
    ],
)
def test_antialiased_pooling_starts_where_its_window_starts(layer, group, shape):
    layer = layer()
    layer.dtype_policy = "float64"
    assert error_of(layer, group, draw(*shape)) < 1e-12


EXACT = {
    "one output pixel": (
        lambda: layers.LiftingConv2D(1, 3, "D4", strides=(1, 2), dtype="float64"),
        "D4",
        (1, 3, 3, 1),
    ),
    "covers everything": (
        lambda: layers.MaxPooling2D(4, strides=3, padding="same", group="D4", dtype="float64"),
        "D4",
        (1, 3, 3, 1),
    ),
    "a mean and its blur make one filter": (
        lambda: layers.AveragePooling3D((4, 1, 3), 3, "same", antialias=True, group="D4z", dtype="float64"),
        "D4z",
        (1, 2, 2, 2, 1),
    ),
    "factors of filters on axes that are exchanged": (
        lambda: layers.AveragePooling3D((2, 1, 2), (1, 2, 2), antialias=True, group="O", dtype="float64"),
        "O",
        (1, 2, 2, 2, 1),
    ),
    "only permutes axes": (
        lambda: layers.LiftingConv3D(1, 2, "C3_111", padding="same", dtype="float64"),
        "C3_111",
        (1, 4, 4, 4, 1),
    ),
    "kernels that are the same reversed": (
        lambda: layers.SteerableConv2D("2x0", "1x0", 2, "SO2", padding="same", use_bias=False, dtype="float64"),
        "C4",
        (1, 1, 1, 2),
    ),
    "even output padding": (
        lambda: layers.GroupConv2DTranspose(1, 3, "D4", strides=3, padding="same", output_padding=2, dtype="float64"),
        "D4",
        (1, 5, 5, 8, 1),
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_is_exact_is_not_refused(name):
    layer, group, shape = EXACT[name]
    assert error_of(layer(), group, draw(*shape)) < 1e-12


def test_only_elements_on_the_grid_count():
    x = draw(1, 8, 9, 1)
    layer = layers.LiftingConv2D(1, (2, 3), "D3", padding="same", basis="bilinear", dtype="float64")
    y, moved = (keras.ops.convert_to_numpy(layer(one)) for one in (x, x[:, :, ::-1]))
    group = ke.groups.get("D3")
    mirror = next(i for i, m in enumerate(group.matrices) if np.allclose(m, [[-1, 0], [0, 1]]))
    np.testing.assert_allclose(moved, ke.groups.act(y, group, mirror, "regular"), atol=1e-12)
    with pytest.raises(ValueError, match="of W symmetrically"):
        layers.LiftingConv2D(1, (3, 2), "D3", padding="same", basis="bilinear")(x)


def test_sizes_are_judged_again_at_every_call():
    layer = layers.LiftingConv2D(1, 3, "C4", strides=2)
    layer(draw(1, 31, 31, 1))
    layer(draw(1, 33, 33, 1))
    with pytest.raises(ValueError, match="does not cover the 32 pixels.*use size 31 or 33"):
        layer(draw(1, 32, 32, 1))


def test_sizes_unknown_at_build():
    inputs = keras.Input((None, None, 1))
    with pytest.warns(UserWarning, match="keeps its exact symmetry only on odd sizes of H and W. Received") as caught:
        model = keras.Model(inputs, layers.LiftingConv2D(1, 3, "C4", strides=2)(inputs))
    assert len(caught) == 1
    for call in (model, lambda x: model.predict(x, verbose=0)):
        with pytest.raises(ValueError, match="does not cover the 12 pixels of H and W symmetrically"):
            call(draw(1, 12, 12, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model(draw(1, 13, 13, 1))
        model.predict(draw(1, 13, 13, 1), verbose=0)
    with pytest.warns(UserWarning, match="only on even sizes of H and W"):
        keras.Model(inputs, layers.MaxPooling2D(2)(inputs))
    with pytest.raises(ValueError, match="treats|does not cover the pixels of H and W symmetrically"):
        layers.LiftingConv2D(1, 4, "C4", padding="same")(inputs)  # right on no size
    with pytest.warns(UserWarning, match="only on sizes that leave 0 or 1 when divided by 3 of H and W"):
        layers.LiftingConv2D(1, 3, "C4", strides=3, padding="same")(inputs)


def test_certify_tests_sizes_of_both_parities():
    inputs = keras.Input((None, None, 1))
    for strict, exact in ((True, True), (False, False)):
        with pytest.warns(UserWarning, match="only on odd sizes"):
            x = layers.LiftingConv2D(1, 3, "C4", strides=2, strict=strict)(inputs)
        model = keras.Model(inputs, layers.GroupPooling()(x))
        report = ke.certify(model, size=12, angles=0, layers=False)
        assert report.exact is exact
        expected = "at 12 a strict layer refuses its input" if strict else "tested at 12: broken, .*tested at 13: exact"
        assert any(re.search(expected, note) for note in report.notes), report.notes


def test_a_padding_mode_wider_than_the_image_is_refused_at_build():
    for mode, most in (("reflect", 3), ("circular", 4)):
        layer = layers.LiftingConv2D(1, 11, "C4", padding="same", padding_mode=mode)
        with pytest.raises(ValueError, match=f"can add at most {most} pixels to 4.*use a smaller kernel"):
            layer.compute_output_shape((None, 4, 4, 1))


def test_a_missing_group_names_the_layer():
    with pytest.raises(TypeError, match=r"^GroupConv2D needs `group`\. Received: GroupConv2D\(4, 3\); write e\.g\. "):
        layers.GroupConv2D(4, 3)


def test_remedies_for_enormous_strides_come_at_once():
    layer = layers.LiftingConv3D(1, 3, "O", strides=30_000, padding="same")
    start = time.process_time()
    assert not layer.symmetry_problems((1, 3, 3, 3, 1))
    assert layer.symmetry_problems((1, 8, 8, 8, 1))
    assert layer.symmetry_problems((1, 30_002, 30_002, 30_002, 1))
    assert time.process_time() - start < 5


def test_paddings_are_read_as_keras_reads_them():
    for layer in (layers.LiftingConv2D(1, 3, "C4", padding="SAME"), layers.MaxPooling2D(3, 1, padding="Same")):
        assert layer.padding == layer.get_config()["padding"] == "same"
    layer = {"LiftingConv2D": {"filters": 1, "kernel_size": 3, "group": "C4", "padding": "SAME"}}
    spec = {"spec": 1, "name": "capitals", "input": {"shape": [8, 8, 1]}, "layers": [layer, "GroupPooling"]}
    assert ke.build_from_spec(spec).output_shape == (None, 8, 8, 1)
    with pytest.raises(ValueError, match="`padding` must be one of"):
        layers.LiftingConv2D(1, 3, "C4", padding="FULL")


def test_a_loose_layer_warns_once():
    layer = layers.LiftingConv2D(1, 3, "C4", strides=2, strict=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for size in (32, 30, 28):
            layer(draw(1, size, size, 1))
    assert len(caught) == 1 and "strict=False" in str(caught[0].message)
