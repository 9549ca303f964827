"""A .tflite file as a Graph, read with the schema that comes with LiteRT."""

import pathlib

import numpy as np

from keras_equivariant.export.formats.backend import litert
from keras_equivariant.export.formats.lanes import splits_lanes
from keras_equivariant.export.proof.graph import Graph, Node, nearest_centers, whole_factors, whole_steps

_DTYPES = {
    **{"FLOAT32": np.float32, "FLOAT16": np.float16, "FLOAT64": np.float64, "INT8": np.int8, "UINT8": np.uint8},
    **{"INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "BOOL": np.bool_},
}
_POINTWISE = {
    **{"ADD": "add", "SUB": "subtract", "MUL": "multiply", "DIV": "divide", "NEG": "negative", "SQUARE": "square"},
    **{"MAXIMUM": "maximum", "MINIMUM": "minimum", "SQUARED_DIFFERENCE": "squared difference", "POW": "power"},
    **{"RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "relu_n1_to_1", "ELU": "elu", "GELU": "gelu"},
    **{"LEAKY_RELU": "leaky relu", "LOGISTIC": "sigmoid", "TANH": "tanh", "HARD_SWISH": "hard swish", "ABS": "abs"},
    **{"EXP": "exp", "LOG": "log", "SQRT": "sqrt", "RSQRT": "rsqrt", "SIN": "sin", "COS": "cos", "FLOOR": "floor"},
    **{"QUANTIZE": "quantize", "DEQUANTIZE": "dequantize", "CAST": "cast", "PRELU": "prelu", "SIGN": "sign"},
    **{"EQUAL": "equal", "NOT_EQUAL": "unequal", "GREATER": "greater", "GREATER_EQUAL": "greater or equal"},
    **{"LESS": "less", "LESS_EQUAL": "less or equal", "LOGICAL_AND": "and", "LOGICAL_OR": "or", "LOGICAL_NOT": "not"},
    **{"SELECT_V2": "where", "CEIL": "ceil", "ROUND": "round", "ATAN2": "atan2", "ZEROS_LIKE": "zeros"},
}
_WEIGHTED = ("CONV", "DEPTHWISE", "FULLY", "TRANSPOSE_CONV")
_REDUCE = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max", "REDUCE_MIN": "min", "REDUCE_PROD": "product"}
# Integers pass through these as they are where input and output have one scale.
_STRUCTURE = ("reshape", "transpose", "concatenate", "split", "slice", "gather", "pad", "repeat", "stack", "unstack")


def read(path):
    """The Graph of the main subgraph of a file."""
    _, schema = litert()
    content = path if isinstance(path, bytes) else pathlib.Path(path).read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    return _Reader(model, schema).graph()


class _Reader:
    def __init__(self, model, schema):
        self.model, self.schema, self.subgraph = model, schema, model.subgraphs[0]
        self.types = _names(schema.TensorType)
        self.operators = _names(schema.BuiltinOperator)
        self.activations = _names(schema.ActivationFunctionType)

    def graph(self):
        tensors = self.subgraph.tensors
        constants = {i: array for i in range(len(tensors)) if (array := self._constant(i)) is not None}
        operators = [one for one in self.subgraph.operators if not self._is_widened(one, constants)]
        names = {i: tensors[i].name.decode() for i in self.subgraph.outputs}
        for signature in self.model.signatureDefs or ():
            names |= {entry.tensorIndex: entry.name.decode() for entry in signature.outputs}
        return Graph(
            name="",
            inputs={int(i): self._shape(i) for i in self.subgraph.inputs},
            outputs={int(i): names[i] for i in self.subgraph.outputs},
            nodes=[self._node(operator, constants) for operator in operators],
            constants=constants,
        )

    def _shape(self, i):
        tensor = self.subgraph.tensors[i]
        signature = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
        return tuple(None if n < 0 else int(n) for n in signature)

    def _constant(self, i):
        tensor = self.subgraph.tensors[i]
        data = self.model.buffers[tensor.buffer].data
        if data is None or not len(data):
            return None
        shape = () if tensor.shape is None else tuple(tensor.shape)
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), _DTYPES[self.types[tensor.type]]).reshape(shape)

    def _scale(self, i):
        """How the integers of a tensor stand for numbers, as a hashable value; None for floats."""
        quantization = self.subgraph.tensors[i].quantization
        if quantization is None or quantization.scale is None or not len(quantization.scale):
            return None
        scales, zeros = np.asarray(quantization.scale), np.asarray(quantization.zeroPoint)
        return scales.tobytes(), zeros.tobytes()

    def _is_widened(self, operator, constants):
        """Whether an operation only makes float32 of stored weights in float16, which become constants here."""
        given, made = operator.inputs[0] if len(operator.inputs) else -1, operator.outputs[0]
        stored = constants.get(int(given))
        if self._operation(operator) != "DEQUANTIZE" or stored is None or stored.dtype != np.float16:
            return False
        constants[int(made)] = stored.astype(np.float32)
        return True

    def _operation(self, operator):
        code = self.model.operatorCodes[operator.opcodeIndex]
        return self.operators[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def _node(self, operator, constants):
        operation = self._operation(operator)
        inputs = tuple(int(i) if i >= 0 else None for i in operator.inputs)
        outputs = tuple(int(i) for i in operator.outputs)
        node = Node("", self._name(outputs[0]), operation, inputs, outputs)
        weighted = operation.startswith(_WEIGHTED)  # scales of kernels are told by output
        given = [None if i is None or (weighted and i in constants) else self._scale(i) for i in inputs]
        scales = (*given, *(self._scale(i) for i in outputs))
        node.scales = scales if any(scales) else None
        options = operator.builtinOptions
        fused = self.activations[getattr(options, "fusedActivationFunction", 0)].lower()
        node.activation = None if fused == "none" else fused
        if operation in _EVALUATE and node.scales is None:
            node.evaluate = lambda *arrays: _EVALUATE[operation](options, *arrays)
        describe = getattr(self, f"_{operation.lower()}", None)
        if operation in _POINTWISE:
            name, settings = _POINTWISE[operation], _settings(options)
            node.kind, node.options = "pointwise", {"name": (name, settings) if settings else name}
        elif operation in _REDUCE:
            node.kind, node.options = "reduce", {"mode": _REDUCE[operation], "keepdims": options.keepDims}
        elif operation == "SHAPE":
            node.kind = "shape"
        elif describe:
            node.described(lambda node: describe(node, options, constants))
        unchanged = node.kind in _STRUCTURE or node.options.get("mode") in ("max", "min")
        if node.scales and unchanged and len({scale for scale in scales if scale}) > 1:
            node.kind = ""
        return node

    def _name(self, output):
        """The layer that an operation comes from, as the converter writes it."""
        name = self.subgraph.tensors[output].name.decode().split(";")[0]
        parts = [part for part in name.split("/") if part and not part.startswith("StatefulPartitionedCall")]
        return "/".join(parts[1:-1] if len(parts) > 2 else parts) or name

    def _convolution(self, node, options, constants, axes, kernel):
        bias = constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
        scales = self._kernel_scales(node.inputs[1], node.inputs[2] if bias is not None else None, kernel.shape[-1])
        letters = "DHW" if len(axes) == 3 else "HW"
        node.kind = "convolution"
        node.options = {
            "axes": axes,
            "channels": -1,
            "strides": [getattr(options, f"stride{a}") for a in letters],
            "dilations": [getattr(options, f"dilation{a}Factor", 1) for a in letters],
            "padding": _padding(options),
            "kernel_scales": scales,
        }
        self._with_weights(node, constants, kernel, bias)

    def _with_weights(self, node, constants, kernel, bias):
        """Kernel and bias in the vocabulary's order stand beside the file's own tensors."""
        keys = [f"kernel of {node.outputs[0]}", f"bias of {node.outputs[0]}"]
        constants[keys[0]] = kernel
        if bias is not None:
            constants[keys[1]] = bias
        node.inputs = (node.inputs[0], keys[0], keys[1] if bias is not None else None)

    def _kernel_scales(self, kernel, bias, outputs):
        """One row for each output: the scales and zero points of kernel and bias."""
        rows = []
        for i in (kernel, bias):
            q = None if i is None else self.subgraph.tensors[i].quantization
            for values in () if q is None else (q.scale, q.zeroPoint):
                if values is not None and len(values):
                    values = np.asarray(values, np.float64)
                    rows.append(np.broadcast_to(values, (outputs,)))
        return np.stack(rows, axis=1) if rows else None

    def _conv_2d(self, node, options, constants):
        kernel = constants.get(node.inputs[1])
        if kernel is not None:
            self._convolution(node, options, constants, (1, 2), np.moveaxis(kernel, 0, -1))
            node.options["groups"] = self._channels(node) // kernel.shape[-1]

    def _channels(self, node):
        first = node.inputs[0]
        return int(self.subgraph.tensors[first].shape[-1])

    def _depthwise_conv_2d(self, node, options, constants):
        kernel = constants.get(node.inputs[1])
        if kernel is not None:
            channels = self._channels(node)
            kernel = kernel.reshape(*kernel.shape[1:3], 1, kernel.shape[-1])
            self._convolution(node, options, constants, (1, 2), kernel)
            node.options |= {"groups": channels, "lanes": splits_lanes(kernel.shape[-1])}

    def _transpose_conv(self, node, options, constants):
        kernel, given = constants.get(node.inputs[1]), node.inputs[2]
        old, new = (self.subgraph.tensors[i].shape[1:3].tolist() for i in (given, node.outputs[0]))
        if kernel is None or min(*old, *new) < 1:
            return
        node.inputs = (given, node.inputs[1], *node.inputs[3:])
        self._convolution(node, options, constants, (1, 2), np.moveaxis(kernel, 0, -1))
        node.options["lanes"] = splits_lanes(len(kernel))
        sizes = zip(old, node.options["strides"], kernel.shape[1:3], new, strict=True)
        same = node.options["padding"] == "same"
        before = [max((n - 1) * s + k - m, 0) // 2 if same else 0 for n, s, k, m in sizes]
        node.options |= {"transposed": True, "padding": list(zip(before, new, strict=True))}

    def _conv_3d(self, node, options, constants):
        kernel = constants.get(node.inputs[1])
        if kernel is not None:
            self._convolution(node, options, constants, (1, 2, 3), kernel)

    def _fully_connected(self, node, options, constants):
        kernel = constants.get(node.inputs[1])
        if kernel is None or options.weightsFormat:
            return
        bias = constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
        scales = self._kernel_scales(node.inputs[1], node.inputs[2] if bias is not None else None, len(kernel))
        node.kind, node.options = "dense", {"axis": -1, "kernel_scales": scales, "flat": not options.keepNumDims}
        self._with_weights(node, constants, kernel.T, bias)

    def _batch_matmul(self, node, options, constants):
        matrix = constants.get(node.inputs[0])
        if matrix is not None and matrix.size == np.prod(matrix.shape[-2:]) and not (options.adjX or options.adjY):
            node.kind, node.options, node.inputs = "matrix", {"axis": -2}, node.inputs[::-1]
        else:
            node.kind, node.options = "product", {"transposed": (options.adjX, options.adjY)}

    def _pool(self, node, options, mode):
        node.kind = "pool"
        node.options = {
            "mode": mode,
            "axes": (1, 2),
            "sizes": (options.filterHeight, options.filterWidth),
            "strides": (options.strideH, options.strideW),
            "dilations": (1, 1),
            "padding": _padding(options),
        }

    def _max_pool_2d(self, node, options, constants):
        self._pool(node, options, "max")

    def _average_pool_2d(self, node, options, constants):
        self._pool(node, options, "mean")

    def _reshape(self, node, options, constants):
        node.kind = "reshape"
        if len(node.inputs) < 2:
            constants[f"shape of {node.outputs[0]}"] = np.asarray(options.newShape)
            node.inputs = (node.inputs[0], f"shape of {node.outputs[0]}")

    def _expand_dims(self, node, options, constants):
        axis = int(constants[node.inputs[1]].ravel()[0])
        node.kind, node.inputs = "reshape", (node.inputs[0], None)
        node.options = {"shape": lambda shape: _inserted(shape, axis)}

    def _squeeze(self, node, options, constants):
        gone = [int(a) % len(self._shape(node.inputs[0])) for a in options.squeezeDims]
        node.kind, node.inputs = "reshape", (node.inputs[0], None)
        node.options = {"shape": lambda shape: [n for a, n in enumerate(shape) if a not in gone]}

    def _transpose(self, node, options, constants):
        node.kind = "transpose"

    def _reverse_v2(self, node, options, constants):
        """Copies integers as they are, whatever the scales that the converter writes beside them."""
        node.kind = "flip"

    def _tile(self, node, options, constants):
        node.kind = "repeat"

    def _concatenation(self, node, options, constants):
        node.kind, node.options = "concatenate", {"axis": options.axis}

    def _pack(self, node, options, constants):
        node.kind, node.options = "stack", {"axis": options.axis}

    def _unpack(self, node, options, constants):
        node.kind, node.options = "unstack", {"axis": options.axis}

    def _split(self, node, options, constants):
        axis, count = int(constants[node.inputs[0]].ravel()[0]), options.numSplits
        node.kind, node.inputs = "split", (node.inputs[1],)
        node.options = {"axis": axis, "sizes": lambda size: [size // count] * count}

    def _split_v(self, node, options, constants):
        sizes, axis = constants[node.inputs[1]], int(constants[node.inputs[2]].ravel()[0])
        node.kind, node.inputs = "split", (node.inputs[0],)
        node.options = {"axis": axis, "sizes": [int(n) for n in sizes]}

    def _gather(self, node, options, constants):
        if options.batchDims:
            raise ValueError("batchDims")
        node.kind, node.options = "gather", {"axis": options.axis}

    def _pad(self, node, options, constants):
        node.kind = "pad"

    def _mirror_pad(self, node, options, constants):
        node.kind, node.options = "pad", {"mode": f"mirror {options.mode}"}

    def _strided_slice(self, node, options, constants):
        steps = constants.get(node.inputs[3])
        whole = steps is not None and all(
            (options.beginMask & options.endMask) >> axis & 1 and abs(step) == 1 for axis, step in enumerate(steps)
        )
        if whole and min(steps) < 0:
            node.kind, node.inputs = "flip", node.inputs[:1]
            node.options = {"axis": np.flatnonzero(steps < 0)}
            return
        node.kind, node.options = "slice", {"index": lambda shape, *bounds: _strided(shape, options, *bounds)}

    def _slice(self, node, options, constants):
        def index(shape, begin, size):
            ends = [n if s == -1 else b + s for n, b, s in zip(shape, begin, size, strict=True)]
            return [slice(int(b), int(e)) for b, e in zip(begin, ends, strict=True)]

        node.kind, node.options = "slice", {"index": index}

    def _resize(self, node, options, constants, mode):
        sizes = constants.get(node.inputs[1])
        if sizes is not None:
            symmetric = bool(options.halfPixelCenters or options.alignCorners)
            if mode == "nearest":
                centers = nearest_centers if options.halfPixelCenters else whole_factors
                symmetric = not options.alignCorners and centers
            node.kind, node.inputs = "resize", (node.inputs[0],)
            marks = (mode, bool(options.halfPixelCenters), bool(options.alignCorners))
            node.options = {"axes": (1, 2), "sizes": lambda _: sizes.ravel(), "mode": marks, "symmetric": symmetric}
            if mode == "bilinear" and node.scales:
                node.options["rounds"] = lambda ends: not whole_steps(ends, options.alignCorners)

    def _resize_bilinear(self, node, options, constants):
        self._resize(node, options, constants, "bilinear")

    def _resize_nearest_neighbor(self, node, options, constants):
        self._resize(node, options, constants, "nearest")

    def _softmax(self, node, options, constants):
        node.kind, node.options = "along", {"name": ("softmax", options.beta), "axis": -1}

    def _log_softmax(self, node, options, constants):
        node.kind, node.options = "along", {"name": "log softmax", "axis": -1}


def _names(enumeration):
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _settings(options):
    """What tells operations of one type apart, but for what stands elsewhere or changes no number."""
    own = {} if options is None else vars(options)
    return tuple(sorted((k, repr(v)) for k, v in own.items() if k not in ("fusedActivationFunction", "potScaleInt16")))


def _padding(options):
    return "valid" if options.padding else "same"


def _inserted(shape, axis):
    shape = list(shape)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 1)
    return shape


def _strided(shape, options, begin, end, strides):
    index = []
    for axis in range(len(begin)):
        if (options.ellipsisMask | options.newAxisMask) >> axis & 1:
            raise NotImplementedError
        if options.shrinkAxisMask >> axis & 1:
            index.append(int(begin[axis]))
            continue
        low = None if options.beginMask >> axis & 1 else int(begin[axis])
        high = None if options.endMask >> axis & 1 else int(end[axis])
        index.append(slice(low, high, int(strides[axis])))
    return index


_EVALUATE = {
    "STRIDED_SLICE": lambda options, x, *bounds: [x[tuple(_strided(x.shape, options, *bounds))]],
    "PACK": lambda options, *xs: [np.stack(xs, options.axis)],
    "CONCATENATION": lambda options, *xs: [np.concatenate(xs, options.axis)],
    "RESHAPE": lambda options, x, shape: [x.reshape(shape)],
    "TRANSPOSE": lambda options, x, order: [x.transpose(order)],
    "DEQUANTIZE": lambda options, x: [x.astype(np.float32)],
    "CAST": lambda options, x: [x],
    "ADD": lambda options, a, b: [a + b],
    "SUB": lambda options, a, b: [a - b],
    "MUL": lambda options, a, b: [a * b],
    "REDUCE_PROD": lambda options, x, axes: [np.prod(x, tuple(np.ravel(axes)), keepdims=options.keepDims)],
    "FILL": lambda options, shape, value: [np.full(np.ravel(shape), value)],
    "GATHER": lambda options, x, indices: [np.take(x, indices, options.axis)],
}
