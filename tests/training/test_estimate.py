import json

import keras
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.costs import match
from keras_equivariant.costs.layers import layer_costs

pytestmark = pytest.mark.tensorflow


def cost_of(layer, *shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]))
    (cost,) = layer_costs(model)
    return cost


def test_a_convolution_counts_every_tap_at_every_position():
    cost = cost_of(keras.layers.Conv2D(5, 3), (8, 8, 2))
    assert cost.multiply_adds == 6 * 6 * 9 * 2 * 5
    assert cost.parameters == 9 * 2 * 5 + 5
    assert cost.activation_bytes == 4 * 6 * 6 * 5


def test_a_group_convolution_costs_what_its_folded_kernel_costs():
    cost = cost_of(ke.layers.GroupConv2D(3, 3, group="D4", padding="same"), (9, 9, 8, 2))
    assert cost.multiply_adds == 81 * 9 * (8 * 2) * (8 * 3)
    assert cost.parameters == 9 * 8 * 2 * 3 + 3
    assert cost.exported_bytes == 4 * (9 * 16 * 24 + 24)


def test_other_kernels():
    assert cost_of(keras.layers.Conv2DTranspose(5, 2, strides=2), (4, 4, 3)).multiply_adds == 16 * 4 * 3 * 5
    assert cost_of(keras.layers.DepthwiseConv2D(3), (5, 5, 3)).multiply_adds == 9 * 9 * 3
    assert cost_of(keras.layers.Dense(7), (3,)).multiply_adds == 21
    assert cost_of(keras.layers.Add(), (4, 4, 1), (4, 4, 1)).multiply_adds == 0


def test_a_shared_layer_costs_something_in_each_call():
    image, layer = keras.Input((8, 8, 4)), keras.layers.Conv2D(4, 3, padding="same")
    (cost,) = layer_costs(keras.Model(image, layer(layer(image))))
    assert cost.multiply_adds == 2 * 64 * 9 * 16
    assert cost.parameters == 9 * 16 + 4 and cost.exported_bytes == 4 * cost.parameters
    assert cost.activation_bytes == 2 * 4 * 64 * 4


def test_products_of_operations_count_as_those_of_layers():
    blur = ke.layers.GaussianBlur2D(strides=2, kernel_size=5)
    assert cost_of(blur, (9, 9, 3)).multiply_adds == 25 * 5 * 5 * 3
    inputs = [keras.Input((6, 2)), keras.Input((6, 3)), keras.Input((6,), dtype="bool")]
    layer = ke.layers.LieConv(7, "T2", neighbors=6, kernel_units=(5, 8))
    (cost,) = layer_costs(keras.Model(inputs, layer(inputs)[1]))
    assert cost.multiply_adds == 6 * (6 * (2 * 5 + 5 * 8) + 3 * 6 * 8 + 3 * 8 * 7)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.PReLU(shared_axes=[1, 2]),
        keras.layers.LayerNormalization(axis=(1, 2, 3)),
        keras.layers.BatchNormalization(),
    ],
    ids=lambda layer: layer.name,
)
def test_slopes_and_scales_are_no_kernels(layer):
    assert cost_of(layer, (8, 8, 4)).multiply_adds == 0


def test_steps_of_sequences_and_products_of_attention_count():
    recurrent = 7 * 4 * (3 + 5) * 5
    assert cost_of(keras.layers.LSTM(5), (7, 3)).multiply_adds == recurrent
    assert cost_of(keras.layers.LSTM(5, return_sequences=True), (7, 3)).multiply_adds == recurrent
    assert cost_of(keras.layers.Bidirectional(keras.layers.LSTM(5)), (7, 3)).multiply_adds == 2 * recurrent
    assert cost_of(keras.layers.GRU(5), (7, 3)).multiply_adds == 7 * 3 * (3 + 5) * 5
    assert cost_of(keras.layers.ConvLSTM2D(5, 3, padding="same"), (7, 4, 4, 3)).multiply_adds == 16 * 9 * recurrent
    heads = 2 * (4 + 6)  # of keys and values
    query, value = keras.Input((7, 3)), keras.Input((9, 5))
    (cost,) = layer_costs(
        keras.Model([query, value], keras.layers.MultiHeadAttention(2, 4, value_dim=6)(query, value=value))
    )
    assert cost.multiply_adds == 7 * (3 * 8 + 12 * 3) + 9 * 5 * heads + 7 * 9 * heads
    maps = keras.Input((4, 4, 3))
    (cost,) = layer_costs(keras.Model(maps, keras.layers.MultiHeadAttention(2, 4, attention_axes=(1, 2))(maps, maps)))
    assert cost.multiply_adds == 16 * (4 * 3 * 8) + 16 * 16 * 16
    (cost,) = layer_costs(keras.Model(query, keras.layers.Attention()([query, query])))
    assert cost.multiply_adds == 7 * 7 * 6
    for options, terms in (({}, 6), ({"use_scale": False}, 3)):
        (cost,) = layer_costs(keras.Model(query, keras.layers.AdditiveAttention(**options)([query, query])))
        assert cost.multiply_adds == 7 * 7 * terms
    value = keras.Input((9, 3))
    (cost,) = layer_costs(keras.Model([query, value], keras.layers.GroupQueryAttention(4, 6, 2)(query, value)))
    assert cost.multiply_adds == 7 * (3 * 24 + 24 * 3) + 9 * 2 * (3 * 8) + 7 * 9 * 2 * 24
    (cost,) = layer_costs(keras.Model(query, keras.layers.Dot(axes=1)([query, query])))
    assert cost.multiply_adds == 3 * 3 * 7


def test_positions_are_counted_where_channels_come_first():
    layer = keras.layers.Conv2D(5, 3, padding="same", data_format="channels_first")
    assert cost_of(layer, (4, 8, 6)).multiply_adds == 48 * 9 * 4 * 5


def test_the_model_is_left_as_it_was():
    model = ke.build_from_spec("p4_cnn")
    layer_costs(model)
    assert all(len(layer._inbound_nodes) == 1 for layer in model.layers)


def test_unknown_sizes_are_refused():
    inputs = keras.Input((None, None, 1))
    with pytest.raises(ValueError, match="known sizes.*without None"):
        layer_costs(keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs)))


@pytest.mark.parametrize("spec", ["p4_cnn", "hnet_rotated_mnist"])
def test_the_estimate_agrees_with_the_model(spec):
    estimate, model = ke.estimate(spec), ke.build_from_spec(spec)
    assert estimate.parameters == sum(int(keras.ops.size(v)) for v in model.trainable_variables)
    folded = ke.fold(model)
    assert estimate.exported_bytes >= 4 * folded.count_params()
    assert f"{estimate.parameters:,} trainable parameters" in str(estimate)


def test_the_table_says_how_exact_each_layer_is():
    by_class = {layer.cost.kind: layer.symmetry for layer in ke.estimate("e2_sfcnn", group="C8", width=0.1).layers}
    assert by_class["SteerableConv2D"] == "exact for 4 of 8"
    with pytest.warns(UserWarning, match="not exactly equivariant"):
        lost = ke.estimate("p4m_resnet", blocks=1, width=4, exact=False)
    assert any(layer.symmetry == "lost" for layer in lost.layers)


def test_a_width_of_equal_cost_is_found():
    found = match("p4_cnn", "z2_cnn", "filters", "multiply_adds")
    errors = {n: abs(ke.estimate("p4_cnn", filters=n).multiply_adds - found.baseline.multiply_adds) for n in (4, 5, 6)}
    assert found.value == min(errors, key=errors.get) == 5
    with pytest.raises(ValueError, match="`vary` must be a parameter.*filters"):
        match("p4_cnn", "z2_cnn", "filtres")
    with pytest.raises(ValueError, match="`quantity` must be one of"):
        match("p4_cnn", "z2_cnn", "filters", "flops")


def test_the_command(tmp_path, capsys):
    assert main(["summary", "p4_cnn", "--json", str(tmp_path / "costs.json")]) == 0
    assert "24,680 trainable parameters" in capsys.readouterr().out
    assert json.loads((tmp_path / "costs.json").read_text())["parameters"] == 24680
    arguments = ["--match", "multiply-adds", "--baseline", "z2_cnn", "--vary", "filters"]
    assert main(["summary", "p4_cnn", *arguments]) == 0
    assert "filters=5" in capsys.readouterr().out
    assert main(["summary", "p4_cnn", "--match", "parameters"]) == 2
    assert "go together" in capsys.readouterr().err
