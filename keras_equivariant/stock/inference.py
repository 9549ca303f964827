"""What a stock layer computes with at inference: its weights by name, and its configuration without what only training,
adapters and quantization need."""

import keras

from keras_equivariant.stock import copies

_STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")
_TRAINING_ONLY = {"renorm": False, "renorm_clipping": None, "synchronized": False}


def at_inference(layer):
    """(changes of the configuration, arrays) of the layer that computes the same at inference.

    BatchNormalization keeps no statistics of renormalization; kernels hold what low-rank adapters add.

    Raises:
        ValueError: for a quantized layer.
    """
    check_not_quantized(layer)
    if isinstance(layer, keras.layers.BatchNormalization):
        changes = {key: value for key, value in _TRAINING_ONLY.items() if key in layer.get_config()}
        variables = [getattr(layer, name) for name in _STATISTICS]
        return changes, [_array(variable) for variable in variables if variable is not None]
    if getattr(layer, "lora_rank", None):
        return {"lora_rank": None}, _with_adapters(layer)
    return {}, layer.get_weights()


def named_weights(layer):
    """The arrays that a layer computes with at inference, by the names of its weights; kernels hold what low-rank
    adapters add.

    Raises:
        ValueError: for a quantized layer.
    """
    check_not_quantized(layer)
    names = [weight.name for weight in layer.weights if not weight.name.startswith("lora_")]
    return dict(zip(names, _with_adapters(layer), strict=True))


def check_not_quantized(layer):
    """ValueError for a layer that computes in integers: its scales depend on each batch."""
    inside = layer._flatten_layers()
    found = next((one for one in inside if getattr(one.dtype_policy, "quantization_mode", None)), None)
    if found is not None:
        raise ValueError(
            "A model must be folded before it is quantized: the scales of a quantized layer follow each batch. "
            f'Received: {copies.describe(found)} in mode "{found.dtype_policy.quantization_mode}". Call '
            'ke.fold(model) first, then quantize("int8") of the folded model, or export it as "tflite_int8"'
        )


def _with_adapters(layer):
    """Kernels with what their adapters add, in the order of a layer without adapters."""
    adapted = {"kernel": "kernel", "embeddings": "embeddings"}
    plain = [v for v in layer.weights if not v.name.startswith("lora_")]
    return [_array(getattr(layer, adapted[v.name]) if v.name in adapted else v) for v in plain]


def _array(variable):
    return keras.ops.convert_to_numpy(variable)
