"""What 256 steps of an integer cannot hold: said before a .tflite file is written, or where its answers show it."""

import numpy as np

from keras_equivariant.export.formats.backend import litert

_LARGEST_SCALE = 1e12  # of one step of an integer
_LARGEST_RESCALING = 256  # from a sum of products to the integers of an output
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def check_ranges(content):
    """ValueError for numbers that stand for infinity, and outputs of zeros alone: a runtime ends the process where
    it cannot rescale them."""
    schema, model = _parsed(content)
    for graph in model.subgraphs:
        for operator in graph.operators:
            _check_rescaling(schema, model, graph, operator)
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        scales = None if tensor.quantization is None else tensor.quantization.scale
        if scales is not None and len(scales) and max(scales) > _LARGEST_SCALE:
            raise ValueError(
                "The ranges of integers must be of numbers that 256 steps can tell apart. Received: the format "
                f"tflite_int8 for a model with numbers of {256 * float(max(scales)):.0e} at "
                f'"{tensor.name.decode()}", as a mask has them. Use tflite_float16'
            )


def _check_rescaling(schema, model, graph, operator):
    code = model.operatorCodes[operator.opcodeIndex]
    if max(code.builtinCode, code.deprecatedBuiltinCode) not in {getattr(schema.BuiltinOperator, n) for n in _WEIGHTED}:
        return
    tensors = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
    integers = [tensor for tensor in tensors if tensor.type == schema.TensorType.INT8]  # not the bias
    if len(integers) != 3:
        return
    *given, last = (float(max(tensor.quantization.scale)) for tensor in integers)
    if np.prod(given) >= _LARGEST_RESCALING * last:
        raise ValueError(
            "The ranges of integers are those of the representative data, on which each layer has to answer with more "
            f"than zeros. Received: the format tflite_int8 for a model with at most {255 * last:.1g} at "
            f'"{integers[-1].name.decode().split(";")[0]}", such as units behind a relu that are all off. Give data '
            "that they answer to, train on, or use tflite_float16"
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


def explained(path):
    """Why an int8 file answers wrongly, and what to do."""
    return lost_variances(path) or (
        "some range of its numbers, cut into 256 steps, leaves too few to what the outputs depend on. Use "
        "tflite_float16, representative_data with all that the model will see, or, where that is near enough, "
        '`tolerance={"tflite_int8": ...}`'
    )


def lost_variances(path):
    """A normalization whose small variances are less than a step; or None."""
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
