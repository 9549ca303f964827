"""Typed layers among stock ones: what keeps a field type passes, what breaks it is refused at once."""

import keras
import pytest

import keras_equivariant as ke
from keras_equivariant import layers

STOCK = keras.layers


def features(out_type="8x0 + 4x1", group="SO2"):
    return layers.SteerableConv2D("1xtrivial", out_type, 5, group)(keras.Input((17, 17, 1)))


def take(x, in_type="8x0 + 4x1", group="SO2"):
    return layers.NormPooling(in_type, group=group)(x)


@pytest.mark.parametrize(
    "layer",
    [
        STOCK.AveragePooling2D(3, strides=2),
        STOCK.Dropout(0.5),
        STOCK.UpSampling2D(),
        STOCK.Cropping2D(),
        STOCK.GlobalAveragePooling2D(),
        STOCK.Activation("linear"),
        layers.AveragePooling2D(3, strides=2, padding="same"),
        lambda x: STOCK.Add()([x, x]),
        lambda x: x + x,
    ],
)
def test_what_keeps_a_type_passes(layer):
    assert take(layer(features())).shape[-1] == 12


@pytest.mark.parametrize(
    ("layer", "remedy"),
    [
        (STOCK.ReLU(), "use NormActivation, GatedActivation or FourierActivation"),
        (STOCK.Activation("tanh"), "use NormActivation"),
        (STOCK.BatchNormalization(), "use SteerableBatchNormalization"),
        (STOCK.AveragePooling2D(2), "its windows do not treat all sides alike"),
        (STOCK.Dense(16), "use SteerableDense"),
        (STOCK.MaxPooling2D(), "use NormMaxPooling2D"),
        (lambda x: STOCK.Multiply()([x, x]), "use NormPooling before it"),
        (lambda x: STOCK.AveragePooling2D(2)(STOCK.ReLU()(x)), "use NormActivation"),
        (lambda x: STOCK.Concatenate(axis=1)([x, x]), "must join channels. Received: axis=1; use axis=-1"),
    ],
)
def test_what_breaks_a_type_is_refused_with_a_remedy(layer, remedy):
    with pytest.raises(ValueError, match="takes features of a field type. Received: what the layer .*" + remedy):
        take(layer(features()))


def test_what_permutes_may_be_activated_and_pooled():
    x = STOCK.MaxPooling2D(strides=1)(STOCK.ReLU()(features("4xregular", "D4")))
    assert take(x, "4xregular", "D4").shape[-1] == 4
    with pytest.raises(ValueError, match="SteerableBatchNormalization"):
        take(STOCK.BatchNormalization()(features("4xregular", "D4")), "4xregular", "D4")


def test_scalars_are_an_image_to_stock_layers():
    x = STOCK.Dense(6)(STOCK.BatchNormalization()(STOCK.ReLU()(features("12x0"))))
    assert layers.SteerableConv2D("6x0", "2x1", 3, "SO2")(x).shape[-1] == 4
    assert layers.SteerableConv2D("8x0 + 4x0", "2x1", 3, "SO2")(features("12x0")).shape[-1] == 4


def test_types_that_differ_are_refused():
    with pytest.raises(ValueError, match='give the layer in_type="8x0 \\+ 4x1"'):
        take(features(), "16x0")
    with pytest.raises(
        ValueError, match=r'merges features that transform differently: "8x0 \+ 4x1" on SO2 and "4x1 \+ 8x0" on SO2'
    ):
        take(STOCK.Add()([features(), features("4x1 + 8x0")]))
    with pytest.raises(ValueError, match='type "4xregular" on D4; give'):
        take(features("4xregular", "D4"), "4xregular", "C8")


def test_joined_features_have_the_sum_of_their_types():
    x = STOCK.Concatenate()([features("4x0 + 2x1"), features("3x2")])
    assert take(x, "4x0 + 2x1 + 3x2").shape[-1] == 9
    with pytest.raises(ValueError, match="give the layer in_type"):
        take(x, "4x0 + 2x2 + 3x1")


def test_certificates_know_types_and_continuous_groups():
    x = features("4x0 + 4x1")
    model = keras.Model(x._keras_history.operation.input, layers.NormActivation("4x0 + 4x1", group="SO2")(x))
    report = ke.certify(model, angles=8)
    assert (report.group, report.verdict) == ("SO2", "approximate")
    assert report.max_error <= 1e-12
    assert any("tested on C8" in note for note in report.notes)
    wrong = ke.FieldType.parse("4x0 + 4x2", "SO2")
    images = keras.random.normal((1, 17, 17, 1), dtype="float32", seed=0)
    errors = ke.equivariance_error(model, "C4", keras.ops.convert_to_numpy(images), output_layout=wrong)
    assert max(errors.values()) > 0.1
    restricted = keras.Model(model.input, layers.Restrict("4x0 + 4x1", "C4", group="SO2")(model.output))
    assert ke.certify(restricted, angles=0).group == "C4"


def test_what_was_cut_off_is_known_behind_a_file(tmp_path):
    """Keras reads the key of `x[..., :8]` back as a list."""
    x = features(group="C4")
    image = x._keras_history.operation.input
    model = keras.Model(image, [take(x[..., :8], "8x0", "C4"), take(x[:, 2:-2, 2:-2, 8:], "4x1", "C4")])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert ke.certify(again, angles=0).exact
    assert [output.shape for output in ke.fold(again).outputs] == [output.shape for output in model.outputs]
