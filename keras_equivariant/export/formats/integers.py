"""What 256 steps of an integer cannot hold: said before a .tflite file is written, or where its answers show it."""

import numpy as np

from keras_equivariant.export.formats.backend import litert

_LARGEST_SCALE = 1e12  # of one step of an integer


def check_ranges(content):
    """ValueError for numbers that stand for infinity: a runtime ends the process where it cannot rescale them."""
    _, model = _parsed(content)
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        scales = None if tensor.quantization is None else tensor.quantization.scale
        if scales is not None and len(scales) and max(scales) > _LARGEST_SCALE:
            raise ValueError(
                "The ranges of integers must be of numbers that 256 steps can tell apart. Received: the format "
                f"tflite_int8 for a model with numbers of {256 * float(max(scales)):.0e} at "
                f'"{tensor.name.decode()}", as a mask has them. Use tflite_float16'
            )


def refused(model):
    """Why a folded model would stay in float where int8 is wanted, or None."""
    import keras

    from keras_equivariant.graphs.reading import walk

    convolutions = (keras.layers.Conv3D, keras.layers.Conv3DTranspose)
    volumes = [layer.name for layer in walk(model) if isinstance(layer, convolutions)]
    if not volumes:
        return None
    return (
        "TFLite has no convolution of volumes in integers: it would compute in float between two conversions. "
        f'Received: the format tflite_int8 for a model with the Conv3D "{volumes[0]}". Use tflite_float16 for weights '
        "of half the size"
    )


def lost_variances(path):
    """Why an int8 file answers wrongly: a normalization whose small variances are less than a step; or None."""
    schema, model = _parsed(path.read_bytes())
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            if max(code.builtinCode, code.deprecatedBuiltinCode) != schema.BuiltinOperator.RSQRT:
                continue
            variance, factor = (graph.tensors[index[0]] for index in (operator.inputs, operator.outputs))
            (_, step, largest), (root, *_) = _range(variance), reversed(_range(factor))
            if step and root and root**-2 < step:
                return (
                    f"it normalizes by variances from {root**-2:.1g} to {largest:.1g}, which 256 steps cannot tell "
                    f'apart, at "{variance.name.decode()}". Use tflite_float16, or BatchNormalization in the place of '
                    "LayerNormalization: it is absorbed by the layer before it"
                )
    return None


def _range(tensor):
    """`(smallest, step, largest)` number of a tensor in integers; zeros for another."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
        return 0.0, 0.0, 0.0
    (step,), (zero,) = np.float64(quantization.scale), quantization.zeroPoint
    return step * (-128 - zero), step, step * (127 - zero)


def _parsed(content):
    _, schema = litert()
    return schema, schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
