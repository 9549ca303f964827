"""Layers inside of a layer that compute in integers, as its configuration has them."""

import functools

import keras


def quantized_inside(layer):
    """{name: what it was quantized with} of the layers inside that were; a layer given to it has a configuration."""
    found = [one for one in layer._flatten_layers(include_self=False) if _mode(one)]
    return {one.name: {"mode": _mode(one), "config": _settings(one)} for one in found}


def quantize_when_built(layer, settings):
    """Quantizes the layers inside as `quantized_inside` told, as soon as they have weights."""
    build = layer.build

    @functools.wraps(build)  # Keras reads the names of its arguments
    def build_quantized(*args, **kwargs):
        build(*args, **kwargs)
        for one in layer._flatten_layers(include_self=False):
            if one.name in settings and not _mode(one):
                found = settings[one.name]
                one.quantize(found["mode"], config=keras.saving.deserialize_keras_object(found["config"]))

    layer.build = build_quantized


def _mode(layer):
    return getattr(layer.dtype_policy, "quantization_mode", None)


def _settings(layer):
    return keras.saving.serialize_keras_object(getattr(layer, "quantization_config", None))
