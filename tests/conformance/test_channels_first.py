"""Whatever Keras's global `image_data_format`, our layers and what they become keep their channels last."""

import catalogue
import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.compiler import load_spec
from keras_equivariant.compiler.linter.linter import trace
from keras_equivariant.stock.making import channels_last


@pytest.fixture(autouse=True)
def _channels_first():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


@pytest.mark.tensorflow
def test_layers_and_folded_layers_keep_their_channels_last(case, network, sample):
    model = network(case)
    x = sample(case)
    first = catalogue.outputs(model, x)
    folded = None if isinstance(x, tuple) or type(case) is not catalogue.Case else ke.fold(model)
    keras.config.set_image_data_format("channels_last")
    expected = catalogue.outputs(network(case), x)
    if not case.random:
        np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-5)
    if folded is not None:
        atol = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(catalogue.outputs(folded, x), expected, rtol=1e-4, atol=atol)


@pytest.mark.parametrize("name", ke.list_specs())
def test_stock_layers_of_specs_keep_their_channels_last(name):
    layers = [traced.layer for traced in trace(load_spec(name)).layers]
    assert {getattr(layer, "data_format", "channels_last") for layer in layers} <= {"channels_last", None}


@pytest.mark.parametrize("name", ["p4_cnn", "unet_segmentation", "so2_irreps"])
def test_networks_of_specs_are_those_of_channels_last(name):
    first = [layer.output.shape for layer in ke.build_from_spec(name).layers if len(layer._inbound_nodes) == 1]
    keras.config.set_image_data_format("channels_last")
    last = [layer.output.shape for layer in ke.build_from_spec(name).layers if len(layer._inbound_nodes) == 1]
    assert first == last


def test_equivariant_network_and_its_weights():
    stock = keras.Sequential(
        [
            keras.Input((9, 9, 1)),
            keras.layers.ZeroPadding2D(1, data_format="channels_last"),
            keras.layers.Conv2D(4, 3, data_format="channels_last"),
            keras.layers.Flatten(data_format="channels_last"),
            keras.layers.Dense(3),
        ]
    )
    model = ke.equivariant(stock, "C4")
    assert model.output_shape == (None, 3)
    assert ke.certify(model, angles=0).exact


def test_stock_layer_of_the_global_format_breaks_the_symmetry():
    image = keras.Input((8, 8, 1))
    features = ke.layers.GroupPooling()(ke.layers.LiftingConv2D(2, 3, "C4", padding="same")(image))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(features))
    certificate = ke.certify(model, angles=0)
    assert not certificate.exact
    with pytest.raises(ValueError, match='data_format="channels_last"'):
        ke.layers.SteerableConv2D("1x0", "1x0", 1, group="C4")(
            keras.layers.GlobalAveragePooling2D(keepdims=True)(features)
        )


@pytest.mark.parametrize("name", ["Conv2D", "Conv3DTranspose", "Flatten", "UpSampling2D", "GlobalMaxPooling1D"])
def test_what_has_a_format_is_given_one(name):
    assert channels_last(getattr(keras.layers, name)) == {"data_format": "channels_last"}
