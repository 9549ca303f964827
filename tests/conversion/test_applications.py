"""The networks of keras.applications: exact, folded alike, exported, and on the trivial group themselves.

One small network runs always, all of them by `-m slow`, at the smallest size that each takes.
"""

import functools
import json
import os

import keras
import numpy as np
import pytest
from stock_networks import unet

import keras_equivariant as ke
from keras_equivariant.conversion.matching import cost

pytestmark = pytest.mark.tensorflow
APPLICATIONS = {
    "MobileNet": (32, {"alpha": 0.25}),
    "MobileNetV2": (32, {"alpha": 0.35}),
    "MobileNetV3Small": (32, {"include_preprocessing": False}),
    "EfficientNetB0": (32, {}),
    "EfficientNetV2B0": (32, {"include_preprocessing": False}),
    "ResNet50": (32, {}),
    "ResNet50V2": (32, {}),
    "VGG16": (32, {}),
    "DenseNet121": (32, {}),
    "ConvNeXtTiny": (32, {"include_preprocessing": False}),
    "NASNetMobile": (32, {}),
    "Xception": (71, {}),
    "InceptionV3": (75, {}),
}
ALWAYS = ("MobileNet",)
NAMES = [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in APPLICATIONS]


# At the sizes that they are published for.
FULL_SIZES = {"MobileNetV2": 224, "EfficientNetB0": 224, "ResNet50": 224, "InceptionV3": 299}


def application(name, size=None):
    smallest, options = APPLICATIONS[name]
    size = size or smallest
    make = getattr(keras.applications, name)
    return make(weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None, **options)


def images(model, count=2):
    """Noise in the range that the network was made for: one that begins by rescaling takes pixels from 0 to 255.

    Of large images in squares of 7 pixels: deep layers see the mean of finer noise alone, which hardly varies.
    """
    shape = (count, *model.input_shape[1:])
    square = 7 if shape[1] > 100 else 1
    noise = np.random.default_rng(0).standard_normal((count, *(-(-n // square) for n in shape[1:-1]), shape[-1]))
    for axis in range(1, len(shape) - 1):
        noise = noise.repeat(square, axis=axis).take(range(shape[axis]), axis=axis)
    noise = noise.astype("float32")
    pixels = any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers[:3])
    return np.clip(127 + 50 * noise, 0, 255) if pixels else noise


def answers(model, x):
    return keras.ops.convert_to_numpy(model(x))


def difference(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def alive(model):
    """The model with statistics of data, so that its answers differ."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.25
    count = 32 if model.input_shape[1] < 100 else 4
    for _ in range(2):
        model(images(model, count), training=True)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_application(name, tmp_path):
    stock = alive(application(name))
    x = images(stock)
    same = ke.equivariant(stock, "Z2", match=1.0, weights="project")
    scale = np.abs(answers(stock, x)).max()
    assert np.abs(answers(same, x) - answers(stock, x)).max() < 1e-6 * max(scale, 1.0)
    del same
    twin = alive(ke.equivariant(stock, "D4", match="channels" if name in ALWAYS else "parameters"))
    spread = np.ptp(answers(twin, x), axis=0).max() / np.abs(answers(twin, x)).max()
    assert spread > 1e-4
    y = answers(twin, x)
    for element in range(8):
        assert difference(answers(twin, ke.groups.act(x, "D4", element, "image")), y) < 1e-5
    folded = ke.fold(twin)
    assert difference(answers(folded, x), y) < 1e-5
    row = {"name": name, "size": stock.input_shape[1], "spread": float(spread)}
    if name not in ALWAYS:
        report = ke.certify(twin)
        assert report.verdict == "exact" and report.max_error < 1e-12
        row["error"] = float(report.max_error)
        exported = ke.export(twin, tmp_path, ["saved_model", "tflite"])
        row["exported"] = exported.passed
        for kind, model in (("original", stock), ("twin", twin)):
            row[kind] = [int(cost(model, match)) for match in ("parameters", "multiply-adds")]
        assert exported.passed
    if "KERAS_EQUIVARIANT_COSTS" in os.environ:
        with open(os.environ["KERAS_EQUIVARIANT_COSTS"], "a") as file:
            file.write(json.dumps(row) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), FULL_SIZES.items())
def test_application_at_full_size(name, size):
    """On the nearest size that its strides keep exact, which the table of the conversion names."""
    stock = alive(application(name, size))
    twin = alive(ke.equivariant(stock, "D4"))
    report = ke.certify(twin, layers=False, samples=1, angles=())
    assert report.verdict == "exact" and report.max_error < 1e-12
    x = images(twin, 1)
    assert difference(answers(ke.fold(twin), x), answers(twin, x)) < 1e-5


@pytest.mark.slow
def test_a_unet_of_volumes():
    stock = alive(unet(rank=3, size=8))
    twin = alive(ke.equivariant(stock, "O"))
    report = ke.certify(twin)
    assert report.verdict == "exact" and report.max_error < 1e-12
    assert difference(answers(ke.fold(twin), images(twin)), answers(twin, images(twin))) < 1e-5


def _hub():
    """Small backbones of keras-hub."""
    models = pytest.importorskip("keras_hub").models
    first = {"input_conv_filters": [64], "input_conv_kernel_sizes": [3], "stackwise_num_filters": [64, 64]}
    blocks = {"stackwise_num_blocks": [1, 1], "stackwise_num_strides": [1, 2], "image_shape": (32, 32, 3)}
    two = {"stackwise_num_repeats": [1, 1], "image_shape": (32, 32, 3)}
    resnet = functools.partial(models.ResNetBackbone, **first, **blocks)
    return {
        "ResNet": lambda: resnet(block_type="basic_block", use_pre_activation=False),
        "ResNetV2": lambda: resnet(block_type="bottleneck_block", use_pre_activation=True),  # pads by keras.ops
        "VGG": lambda: models.VGGBackbone(stackwise_num_filters=[8, 16], **two),
        "DenseNet": lambda: models.DenseNetBackbone(compression_ratio=0.5, growth_rate=8, **two),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet", "ResNetV2", "VGG", "DenseNet"])
def test_backbone_of_keras_hub(name):
    stock = alive(_hub()[name]())
    twin = alive(ke.equivariant(stock, "D4"))
    report = ke.certify(twin)
    assert report.verdict == "exact" and report.max_error < 1e-12
    assert difference(answers(ke.fold(twin), images(twin)), answers(twin, images(twin))) < 1e-5


@pytest.mark.slow
def test_transformers_of_keras_hub_are_refused_by_name():
    models = pytest.importorskip("keras_hub").models
    sizes = {"patch_size": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
    with pytest.raises(ValueError, match="ViTPatchingAndEmbedding.*replacements="):
        ke.equivariant(models.ViTBackbone(image_shape=(32, 32, 3), **sizes), "D4")
