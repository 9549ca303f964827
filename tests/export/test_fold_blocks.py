"""Group convolutions of folded models in blocks: the same numbers, fewer multiplications, still proved."""

import math
import pathlib

import keras
import pytest
from export_models import random_inputs, randomize, relative_error
from keras import layers

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.costs.layers import layer_costs
from keras_equivariant.export.folding.block_rule import TFLITE
from keras_equivariant.export.formats import registry
from keras_equivariant.graphs.calls import replay_graph
from keras_equivariant.kernels import fast_fourier
from keras_equivariant.results import load_experiment

RESULTS = pathlib.Path(__file__).parents[2] / "tutorials" / "results" / "blocks.yaml"


def pointwise_net(group, fields=2, size=4):
    """1x1 group convolutions with bias, absorbed normalization, activation, a sum, and a layer called twice."""
    group = ke.groups.get(group)
    rank = group.dimension
    lift = {2: ke.layers.LiftingConv2D, 3: ke.layers.LiftingConv3D}[rank]
    conv = {2: ke.layers.GroupConv2D, 3: ke.layers.GroupConv3D}[rank]
    mean = {2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D}[rank]
    image = keras.Input((size,) * rank + (1,))
    x = lift(fields, 3, group, padding="same", activation="relu")(image)
    y = ke.layers.BatchNormalization(activation="relu")(conv(2 * fields, 1, group, use_bias=False)(x))
    x = layers.Add()([x, conv(fields, 1, group)(y)])
    shared = conv(fields, 1, group, activation="silu", name="shared")
    x = shared(shared(x))
    return randomize(keras.Model(image, layers.Dense(3)(mean()(ke.layers.GroupPooling("max")(x))), name="pointwise"))


def pointwise_parameters(model):
    return sum(layer.count_params() for layer in model.layers if "_block_" in layer.name)


@pytest.mark.parametrize("group", ["D4", "C8", "O"])
def test_blocks_compute_what_the_model_computes_and_are_proved(group):
    model = pointwise_net(group)
    folded = ke.fold(model, pointwise="blocks")
    inputs = random_inputs(model, size=4)
    assert relative_error(folded(inputs), model(inputs, training=False)) <= 1e-5
    assert {type(layer).__module__.split(".")[0] for layer in folded.layers} == {"keras"}
    fourier = fast_fourier(group)
    assert pointwise_parameters(folded) == fourier.stored * (2 * 4 + 2 * 4 + 2 * 2) + 4 + 2 + 2
    assert ke.prove(folded, group).verdict == "proved"


def linear_net(group, last="relu"):
    """Bottlenecks without an activation between them: what lies between two 1x1 layers is linear."""
    group = ke.groups.get(group)
    lift, conv, mean = {
        2: (ke.layers.LiftingConv2D, ke.layers.GroupConv2D, layers.GlobalAveragePooling2D),
        3: (ke.layers.LiftingConv3D, ke.layers.GroupConv3D, layers.GlobalAveragePooling3D),
    }[group.dimension]
    image = keras.Input((4,) * group.dimension + (1,))
    x = lift(2, 3, group, padding="same", activation="relu")(image)
    narrow = ke.layers.BatchNormalization()(conv(3, 1, group, use_bias=False, name="first")(x))
    for number in range(2):
        wide = conv(4, 1, group, activation="relu6", name=f"wide_{number}")(narrow)
        narrow = layers.Add()([narrow, ke.layers.LayerScale(0.5)(conv(3, 1, group, name=f"narrow_{number}")(wide))])
    x = conv(2, 1, group, activation=last, name="last")(narrow)
    return randomize(keras.Model(image, layers.Dense(3)(mean()(ke.layers.GroupPooling("max")(x))), name="linear"))


def count(model, *names):
    return sum(type(operation).__name__ in names for operation in model.operations)


@pytest.mark.parametrize("group", ["D4", "C8", "T"])
def test_features_between_linear_layers_stay_in_the_fourier_basis(group):
    model = linear_net(group)
    folded = ke.fold(model, pointwise="blocks")
    inputs = random_inputs(model, size=4)
    assert relative_error(folded(inputs), model(inputs, training=False)) <= 1e-5
    assert ke.prove(folded, group).verdict == "proved"
    # Forward: in front of the first layer and of the two narrow ones; back: in front of three activations.
    fourier, rows = fast_fourier(group), sum(block.rows for block in fast_fourier(group).blocks)
    steps = 3 * (len(fourier.forward.steps) + len(fourier.inverse.steps))
    assert count(folded, "Add", "Subtract", "Negative", "Multiply") == steps + 2 * rows


def test_functions_between_layers_are_taken_of_the_features_of_each_element():
    """What else reads them, before or after, gets them joined; an activation of all fields at once, too."""
    image = keras.Input((4, 4, 1))
    x = ke.layers.LiftingConv2D(2, 3, "D4", padding="same")(image)
    x = ke.layers.GroupConv2D(3, 1, "D4", activation="gelu")(x)
    y = layers.LeakyReLU()(ke.layers.GroupConv2D(3, 1, "D4")(x))
    y = ke.layers.GroupConv2D(2, 1, "D4", activation="softmax")(layers.Add()([x, y]))
    y = ke.layers.GroupConv2D(1, 1, "D4")(y)
    model = randomize(keras.Model(image, [ke.layers.GroupPooling("max")(x), y]))
    folded = ke.fold(model, pointwise="blocks")
    inputs = random_inputs(model, size=4)
    for ours, theirs in zip(folded(inputs), model(inputs), strict=True):
        assert relative_error(ours, theirs) <= 1e-5


def test_nothing_is_joined_to_be_split_again():
    features = keras.Input((4, 4, 8, 2))
    x = ke.layers.GroupConv2D(3, 1, "D4")(layers.ReLU()(ke.layers.GroupConv2D(3, 1, "D4", activation="gelu")(features)))
    folded = ke.fold(keras.Model(features, x), pointwise="blocks")
    # Each layer splits and joins the two columns of both rows of the irrep of two dimensions.
    assert (count(folded, "Split"), count(folded, "Concatenate")) == (1 + 2 * 2, 2 * 2 + 1)


def test_features_that_something_else_reads_are_transformed_back():
    """A sum that both a 1x1 layer and a maximum read, and a sum with features that are no layer's in blocks."""
    image = keras.Input((4, 4, 1))
    x = ke.layers.LiftingConv2D(2, 3, "D4", padding="same")(image)
    y = ke.layers.GroupConv2D(2, 1, "D4")(x)
    both = layers.Add()([y, ke.layers.GroupConv2D(2, 1, "D4")(y)])
    one = layers.Add()([x, ke.layers.GroupConv2D(2, 1, "D4")(both)])
    model = randomize(keras.Model(image, [ke.layers.GroupPooling("max")(both), ke.layers.GroupConv2D(1, 1, "D4")(one)]))
    folded = ke.fold(model, pointwise="blocks")
    inputs = random_inputs(model, size=4)
    for ours, theirs in zip(folded(inputs), model(inputs), strict=True):
        assert relative_error(ours, theirs) <= 1e-5


def windowed_net(group, size, options):
    """One group convolution with a window, an absorbed normalization, and the mean."""
    group = ke.groups.get(group)
    lift, conv, mean = {
        2: (ke.layers.LiftingConv2D, ke.layers.GroupConv2D, layers.GlobalAveragePooling2D),
        3: (ke.layers.LiftingConv3D, ke.layers.GroupConv3D, layers.GlobalAveragePooling3D),
    }[group.dimension]
    image = keras.Input((size,) * group.dimension + (1,))
    x = lift(2, 3, group, padding="same", activation="relu")(image)
    x = ke.layers.BatchNormalization(activation="relu")(conv(3, group=group, use_bias=False, **options)(x))
    return randomize(keras.Model(image, layers.Dense(3)(mean()(ke.layers.GroupPooling("mean")(x)))))


WINDOWS = [
    ("D4", 8, {"kernel_size": 3, "padding": "same"}),
    ("D4", 9, {"kernel_size": 5, "dilation_rate": 2}),
    ("D4", 8, {"kernel_size": 2, "strides": 2}),
    ("C4", 9, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    ("D4", 9, {"kernel_size": 1, "strides": 2}),
    ("D4", None, {"kernel_size": 3, "padding": "same"}),
    ("D2", 8, {"kernel_size": (3, 1), "padding": "same"}),
    ("O", 4, {"kernel_size": 2, "strides": 2}),
    ("C4z", 4, {"kernel_size": 3}),
]


@pytest.mark.parametrize("group, size, options", WINDOWS)
def test_convolutions_with_windows_become_blocks_of_patches(group, size, options):
    model = windowed_net(group, size, options)
    folded = ke.fold(model, pointwise="blocks", verify=False)
    inputs = random_inputs(model, size=size or 8)
    assert relative_error(folded(inputs), model(inputs, training=False)) <= 1e-5
    taps = math.prod(kernel) if isinstance(kernel := options["kernel_size"], tuple) else kernel ** (inputs.ndim - 2)
    assert pointwise_parameters(folded) == fast_fourier(group).stored * taps * 2 * 3 + 3
    if size:
        assert ke.prove(folded, group).verdict == "proved"


def test_a_window_that_not_all_elements_keep_stays_dense():
    assert not pointwise_parameters(
        ke.fold(windowed_net("C8", 8, {"kernel_size": 3, "padding": "same"}), pointwise="blocks")
    )


def test_a_layer_on_two_sizes_has_a_window_of_each():
    image = keras.Input((9, 9, 1))
    x = ke.layers.LiftingConv2D(2, 3, "D4", padding="same")(image)
    shared = ke.layers.GroupConv2D(2, 3, "D4", strides=2, padding="same")
    model = randomize(keras.Model(image, ke.layers.GroupPooling("mean")(shared(shared(x)))))
    folded = ke.fold(model, pointwise="blocks", verify=False)
    inputs = random_inputs(model, size=9)
    assert relative_error(folded(inputs), model(inputs)) <= 1e-5
    assert pointwise_parameters(folded) and ke.prove(folded, "D4").verdict == "proved"


def test_an_edge_in_the_wrong_place_is_not_proved():
    """A slice that starts one pixel later: the features are no longer those that its neighbors are moved to."""
    folded = ke.fold(windowed_net("D4", 8, {"kernel_size": 3, "padding": "same"}), pointwise="blocks", verify=False)
    cut = next(op for op in folded.operations if type(op).__name__ == "GetItem")

    def call(operation, *args, **kwargs):
        if operation.name != cut.name:
            return operation(*args, **kwargs)
        x = args[0]
        return operation(keras.ops.roll(x, 1, axis=1), *args[1:], **kwargs)

    image = keras.Input(folded.input_shape[1:])
    broken = keras.Model(image, replay_graph(folded, image, call))
    assert ke.prove(broken, "D4").verdict != "proved"


def test_float64_is_kept():
    model = pointwise_net("T")
    inputs = random_inputs(model, size=4).astype("float64")
    dense, blocks = (ke.fold(model, dtype="float64", pointwise=form) for form in ("dense", "blocks"))
    assert relative_error(blocks(inputs), dense(inputs)) <= 1e-13


def test_a_wrong_sign_in_a_transform_is_not_proved():
    folded = ke.fold(pointwise_net("D4"), pointwise="blocks")
    sums = [op for op in folded.operations if type(op).__name__ == "Add" and not isinstance(op, keras.layers.Layer)]
    name = sums[0].name

    def call(operation, *args, **kwargs):
        return keras.ops.subtract(*args) if operation.name == name else operation(*args, **kwargs)

    image = keras.Input(folded.input_shape[1:])
    broken = keras.Model(image, replay_graph(folded, image, call))
    assert ke.prove(broken, "D4").verdict == "not proved"


def test_only_matrices_that_commute_with_the_group_become_blocks():
    image = keras.Input((4, 4, 1))
    x = ke.layers.LiftingConv2D(2, 3, "D4", padding="same")(image)
    x = layers.Reshape((4, 4, 16))(x)
    x = layers.Conv2D(16, 1)(x)
    model = randomize(keras.Model(image, x))
    assert not pointwise_parameters(ke.fold(model, pointwise="blocks"))


def test_the_measured_rule_takes_wide_layers_only():
    narrow, wide = (ke.fold(pointwise_net("D4", fields, 8), verify=False) for fields in (4, 128))
    assert not pointwise_parameters(narrow) and pointwise_parameters(wide)
    assert TFLITE.pays(fast_fourier("D4"), 64, 64, 256) and not TFLITE.pays(fast_fourier("D4"), 4, 4, 256)
    assert TFLITE.pays(fast_fourier("O"), 32, 32, 512)
    assert pointwise_parameters(ke.fold(pointwise_net("D4", 128, 8), verify=False, pointwise="dense")) == 0


@pytest.mark.parametrize("format", ["tflite", "saved_model", "onnx", "openvino"])
def test_the_rules_choose_what_was_measured_to_be_quicker(format):
    for row in load_experiment(RESULTS).rows.values():
        group, fields, size = row.name.split("_")
        pixels = int(size) ** ke.groups.get(group).dimension
        taken = registry.get(format).pointwise.pays(fast_fourier(group), int(fields), int(fields), pixels)
        assert row.numbers[format] <= 1.02 if taken else row.numbers[format] >= 0.8, row.name


@pytest.mark.parametrize("format", ["tflite", "saved_model", "onnx", "openvino"])
def test_where_the_rules_take_blocks_they_are_quicker_on_another_machine(format):
    for row in load_experiment(RESULTS.with_name("blocks_amd.yaml")).rows.values():
        group, fields, size = row.name.split("_")
        pixels = int(size) ** ke.groups.get(group).dimension
        if registry.get(format).pointwise.pays(fast_fourier(group), int(fields), int(fields), pixels):
            assert row.numbers[format] <= 1.02, row.name


@pytest.mark.parametrize("format", ["tflite", "saved_model", "onnx", "openvino"])
def test_the_rules_take_only_windows_that_were_measured_to_be_quicker(format):
    for row in load_experiment(RESULTS.with_name("window_blocks.yaml")).rows.values():
        group, *numbers = row.name.split("_")
        fields, size, window, strides = map(int, numbers)
        dimension = ke.groups.get(group).dimension
        shape = (fields, fields, (size // strides) ** dimension, window**dimension)
        if registry.get(format).pointwise.pays(fast_fourier(group), *shape):
            assert row.numbers[format] <= 1.02, row.name


def test_typed_and_nested_layers_become_blocks_too():
    inner_input = keras.Input((4, 4, 16))
    inner = keras.Model(inner_input, ke.layers.SteerableConv2D("2xregular", "3xregular", 1, "D4")(inner_input))
    image = keras.Input((4, 4, 16))
    x = inner(image)
    model = randomize(keras.Model(image, ke.layers.SteerableConv2D("3xregular", "2xregular", 1, "D4")(x)))
    folded = ke.fold(model, pointwise="blocks")
    inputs = random_inputs(model, size=4)
    assert relative_error(folded(inputs), model(inputs)) <= 1e-5
    assert pointwise_parameters(folded)
    assert any(pointwise_parameters(layer) for layer in folded.layers if isinstance(layer, keras.Model))


def test_costs_count_what_is_executed():
    model = pointwise_net("D4", 128, 8)
    cost = next(cost for cost in layer_costs(model) if cost.name == "shared")
    assert cost.multiply_adds == 2 * fast_fourier("D4").products * 128 * 128 * 64  # of both calls


def test_another_form_is_refused_with_its_remedy():
    with pytest.raises(ValueError, match='must be "auto", "dense" or "blocks"'):
        ke.fold(pointwise_net("D4"), pointwise="fourier")


@pytest.mark.tensorflow
def test_exported_blocks_are_reported_and_integers_stay_dense(tmp_path):
    model = pointwise_net("D4")
    data = random_inputs(model, batch=8)
    report = ke.export(
        model, tmp_path, ["tflite", "tflite_int8"], representative_data=data, pointwise="blocks", tolerance=0.5
    )
    blocks, dense = report.artifacts
    assert all(layer.blocks for layer in blocks.pointwise) and not any(layer.blocks for layer in dense.pointwise)
    assert blocks.proof.verdict == dense.proof.verdict == "proved"
    assert dense.proof.integers
    assert "3 of 3 group convolutions in blocks" in str(report)
    assert "0 of 3 group convolutions in blocks" in str(report)
    ours, plain = blocks.pointwise[0].multiply_adds, blocks.pointwise[0].dense_multiply_adds
    assert (ours, plain) == (12 * 2 * 4, 64 * 2 * 4)


@pytest.mark.tensorflow
@pytest.mark.parametrize("options", [{"kernel_size": 3, "padding": "same"}, {"kernel_size": 2, "strides": 2}])
def test_exported_windows_are_run_and_proved(tmp_path, options):
    model = windowed_net("D4", 8, options)
    report = ke.export(model, tmp_path, ["tflite", "onnx", "saved_model"], pointwise="blocks")
    for artifact in report.artifacts:
        assert artifact.relative_error <= 1e-5 and all(layer.blocks for layer in artifact.pointwise)
        assert artifact.proof is None or artifact.proof.verdict == "proved"
    assert sum(artifact.proof is not None for artifact in report.artifacts) >= 2


def test_the_report_counts_layers_without_transforms(tmp_path):
    report = ke.export(linear_net("D4"), tmp_path, ["keras"], pointwise="blocks")
    found = {layer.layer: layer.untransformed for layer in report.artifacts[0].pointwise}
    assert [name for name, direct in found.items() if direct] == ["wide_0", "wide_1", "last"]
    assert "6 of 6 group convolutions in blocks (3 in the Fourier basis from the layer before)" in str(report)


def test_the_command_line_takes_the_form(tmp_path, capsys):
    pointwise_net("D4").save(tmp_path / "net.keras")
    arguments = ["export", str(tmp_path / "net.keras"), "--output", str(tmp_path), "--formats", "keras", "--overwrite"]
    assert not main([*arguments, "--pointwise", "blocks"])
    assert "3 of 3 group convolutions in blocks" in capsys.readouterr().out
