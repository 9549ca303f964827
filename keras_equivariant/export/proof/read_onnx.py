"""An .onnx file as a Graph, read with the onnx package."""

import numpy as np

from keras_equivariant.export.proof.graph import Graph, Node, nearest_centers, whole_factors
from keras_equivariant.utils.optional import require

_POINTWISE = {
    **{"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide", "Neg": "negative", "Max": "maximum"},
    **{"Min": "minimum", "Mean": "average", "Sum": "add", "Pow": "power", "Relu": "relu", "Sigmoid": "sigmoid"},
    **{"Tanh": "tanh", "Elu": "elu", "Selu": "selu", "Celu": "celu", "LeakyRelu": "leaky relu", "Gelu": "gelu"},
    **{"Softplus": "softplus", "Softsign": "softsign", "Abs": "abs", "Exp": "exp", "Log": "log", "Sqrt": "sqrt"},
    **{"Reciprocal": "reciprocal", "Erf": "erf", "Sin": "sin", "Cos": "cos", "Clip": "clip", "Cast": "cast"},
    **{"PRelu": "prelu", "HardSigmoid": "hard sigmoid", "HardSwish": "hard swish", "Identity": "identity"},
    **{"Mish": "mish", "Sign": "sign", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Where": "where"},
    **{"Equal": "equal", "Greater": "greater", "GreaterOrEqual": "greater or equal", "Less": "less", "Not": "not"},
    **{"LessOrEqual": "less or equal", "And": "and", "Or": "or", "IsNaN": "is nan", "IsInf": "is inf", "Atan": "atan"},
}
_REDUCE = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "product"}
_REDUCE |= {"ReduceL1": "l1", "ReduceL2": "l2", "ReduceSumSquare": "squares", "ReduceLogSumExp": "logsumexp"}
# When the nearest entries of a mirrored axis are the mirrored ones, by what is rounded and how.
_NEAREST = {("asymmetric", "floor"): whole_factors, ("tf_half_pixel_for_nn", "floor"): nearest_centers}
_NEAREST |= {("half_pixel", rounds): False for rounds in ("floor", "ceil")}
_SOFTMAX_OF_ONE_AXIS = 13  # the opset from which on Softmax is of one axis
_MOST = 2**30  # entries of an axis: larger bounds stand for its ends
_ALONG = {"Softmax": "softmax", "LogSoftmax": "log softmax"}


def _module(name):
    return require(name, "A proof of an .onnx file", "onnx")


def read(path):
    """The Graph of a file."""
    onnx = _module("onnx")
    model = onnx.load(str(path))
    if not model.opset_import:
        raise ValueError("it does not say of which opset its operations are")
    return _Reader(onnx, model).graph()


class _Reader:
    def __init__(self, onnx, model):
        self.onnx, self.model = onnx, model
        self.opset = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)
        self.constants = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}

    def graph(self):
        given = [i for i in self.model.graph.input if i.name not in self.constants]
        return Graph(
            name="",
            inputs={i.name: _shape(i) for i in given},
            outputs={o.name: o.name for o in self.model.graph.output},
            nodes=[self._node(node) for node in self.model.graph.node],
            constants=self.constants,
        )

    def _node(self, given):
        options = {a.name: self.onnx.helper.get_attribute_value(a) for a in given.attribute}
        inputs = tuple(name or None for name in given.input)
        node = Node("", _layer(given), given.op_type, inputs, tuple(given.output))
        if any(isinstance(value, self.onnx.GraphProto) for value in options.values()):
            return node  # what is inside takes tensors from outside, too
        node.evaluate = lambda *arrays: self._evaluate(given, dict(zip(node.inputs, arrays, strict=True)))
        describe = getattr(self, f"_{given.op_type.lower()}", None)
        if given.op_type in _POINTWISE:
            marks = tuple(sorted((key, repr(value)) for key, value in options.items()))
            name = _POINTWISE[given.op_type]
            node.kind, node.options = "pointwise", {"name": (name, marks) if marks else name}
        elif given.op_type in _REDUCE:
            node.kind = "reduce"
            node.options = {"mode": _REDUCE[given.op_type], "keepdims": bool(options.get("keepdims", 1))}
            self._argument(node, 1, options.get("axes"))
        elif given.op_type in _ALONG and self.opset >= _SOFTMAX_OF_ONE_AXIS:
            node.kind, node.options = "along", {"name": _ALONG[given.op_type], "axis": options.get("axis", -1)}
        elif describe:
            node.described(lambda node: describe(node, options))
        return node

    def _argument(self, node, place, value):
        """The input at this place, where an older operation has an attribute instead."""
        inputs = [*node.inputs[:place], *[None] * (place - len(node.inputs))]
        if len(node.inputs) > place:
            return
        key = None
        if value is not None:
            key = f"argument {place} of {node.outputs[0]}"
            self.constants[key] = np.asarray(value)
        node.inputs = (*inputs, key)

    def _evaluate(self, node, arrays):
        """The operation on constants; `arrays` by key has those that it was not described without."""
        names = [name for name in node.input if name]
        helper, none = self.onnx.helper, self.onnx.TensorProto.UNDEFINED
        described = [[helper.make_tensor_value_info(n, none, None) for n in ns] for ns in (names, node.output)]
        model = helper.make_model(
            helper.make_graph([node], "one", *described), opset_imports=list(self.model.opset_import)
        )
        run = _module("onnx.reference").ReferenceEvaluator(model).run
        return run(None, {name: arrays.get(name, self.constants.get(name)) for name in names})

    def _conv(self, node, options):
        kernel = self.constants.get(node.inputs[1])
        if kernel is None:
            return
        rank = kernel.ndim - 2
        key = f"kernel of {node.outputs[0]}"
        self.constants[key] = np.moveaxis(kernel, (0, 1), (-1, -2))
        node.inputs = (node.inputs[0], key, *node.inputs[2:])
        node.kind = "convolution"
        node.options = {**_window(options, rank), "channels": 1, "groups": options.get("group", 1)}

    def _convtranspose(self, node, options):
        kernel = self.constants.get(node.inputs[1])
        given = {"kernel_shape", "strides", "dilations", "pads", "group", "auto_pad"}
        written = options.get("auto_pad", "NOTSET") in ("NOTSET", b"NOTSET")
        if kernel is None or set(options) - given or options.get("group", 1) > 1 or not written:
            return
        rank = kernel.ndim - 2
        ones, pads = [1] * rank, options.get("pads", [0] * (2 * rank))
        strides, dilations = options.get("strides", ones), options.get("dilations", ones)
        key = f"kernel of {node.outputs[0]}"
        self.constants[key] = np.moveaxis(kernel, (0, 1), (-2, -1))
        node.inputs = (node.inputs[0], key, *node.inputs[2:])
        node.kind = "convolution"
        reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
        cut = [(r, low, high) for r, low, high in zip(reach, pads[:rank], pads[rank:], strict=True)]
        node.options = {
            **{"axes": tuple(range(2, 2 + rank)), "channels": 1, "strides": strides, "dilations": dilations},
            "transposed": True,
            "padding": [
                lambda old, s=s, r=r, low=low, high=high: (low, (old - 1) * s + r - low - high)
                for s, (r, low, high) in zip(strides, cut, strict=True)
            ],
        }

    def _matmul(self, node, options):
        if np.ndim(self.constants.get(node.inputs[1], 0)) == 2:
            node.kind, node.options = "dense", {"axis": -1}
        elif np.ndim(self.constants.get(node.inputs[0], 0)) == 2:
            node.kind, node.options, node.inputs = "matrix", {"axis": -2}, node.inputs[::-1]
        else:
            node.kind = "product"

    def _gemm(self, node, options):
        kernel = self.constants.get(node.inputs[1])
        plain = options.get("alpha", 1) == options.get("beta", 1) == 1 and not options.get("transA")
        if kernel is not None and plain:
            key = f"kernel of {node.outputs[0]}"
            self.constants[key] = kernel.T if options.get("transB") else kernel
            node.kind, node.options = "dense", {"axis": -1}
            node.inputs = (node.inputs[0], key, *node.inputs[2:])

    def _pool(self, node, options, mode):
        sizes = options["kernel_shape"]
        if options.get("ceil_mode"):
            raise KeyError("ceil_mode")
        counted = bool(options.get("count_include_pad"))
        node.kind = "pool"
        node.options = {**_window(options, len(sizes)), "mode": (mode, "padding counts") if counted else mode}
        node.options["sizes"] = sizes

    def _maxpool(self, node, options):
        self._pool(node, options, "max")

    def _averagepool(self, node, options):
        self._pool(node, options, "mean")

    def _globally(self, node, mode):
        node.kind, node.inputs = "reduce", (node.inputs[0], None)
        node.options = {"mode": mode, "keepdims": True, "from": 2}

    def _globalaveragepool(self, node, options):
        self._globally(node, "mean")

    def _globalmaxpool(self, node, options):
        self._globally(node, "max")

    def _shape(self, node, options):
        node.kind = "shape"

    def _reshape(self, node, options):
        node.kind = "reshape"

    def _flatten(self, node, options):
        axis = options.get("axis", 1)
        node.kind, node.inputs = "reshape", (node.inputs[0], None)
        node.options = {"shape": lambda shape: (int(np.prod(shape[:axis])), -1)}

    def _squeeze(self, node, options):
        axes = self._axes(node, options)
        node.kind, node.inputs = "reshape", (node.inputs[0], None)
        node.options = {"shape": lambda shape: [n for a, n in enumerate(shape) if a not in _wrapped(axes, len(shape))]}

    def _unsqueeze(self, node, options):
        axes = self._axes(node, options)

        def shape(old):
            gone, sizes = _wrapped(axes, len(old) + len(axes)), iter(old)
            return [1 if a in gone else next(sizes) for a in range(len(old) + len(axes))]

        node.kind, node.inputs, node.options = "reshape", (node.inputs[0], None), {"shape": shape}

    def _axes(self, node, options):
        axes = self.constants[node.inputs[1]] if len(node.inputs) > 1 else options["axes"]
        return [int(a) for a in axes]

    def _transpose(self, node, options):
        node.kind = "transpose"
        self._argument(node, 1, options["perm"])

    def _concat(self, node, options):
        node.kind, node.options = "concatenate", {"axis": options["axis"]}

    def _split(self, node, options):
        count = len(node.outputs)
        sizes = self.constants.get(node.inputs[1]) if len(node.inputs) > 1 else options.get("split")
        given = (lambda size: [size // count] * count) if sizes is None else [int(n) for n in sizes]
        node.kind, node.inputs = "split", (node.inputs[0],)
        node.options = {"axis": options.get("axis", 0), "sizes": given}

    def _reversesequence(self, node, options):
        """As the converter from TensorFlow writes that whole axes are reversed."""
        node.kind = "flip"
        node.options = {"axis": options.get("time_axis", 0), "whole": True}

    def _slice(self, node, options):
        starts, ends, axes, steps = (self.constants.get(key) for key in [*node.inputs[1:], None, None, None, None][:4])
        if steps is not None and (np.ravel(steps) == -1).all() and (np.ravel(ends) < -_MOST).all():
            if (np.ravel(starts) == -1).all() or (np.ravel(starts) > _MOST).all():
                node.kind, node.inputs = "flip", node.inputs[:1]
                node.options = {"axis": np.arange(len(steps)) if axes is None else axes}
                return

        def index(shape, starts, ends, axes=None, steps=None):
            found = [slice(None)] * len(shape)
            axes = range(len(starts)) if axes is None else axes
            steps = [1] * len(starts) if steps is None else steps
            for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
                found[int(axis)] = slice(int(start), int(end), int(step))
            return found

        node.kind, node.options = "slice", {"index": index}

    def _gather(self, node, options):
        node.kind, node.options = "gather", {"axis": options.get("axis", 0)}

    def _pad(self, node, options):
        value = self.constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else 0
        pads = self.constants.get(node.inputs[1])
        if pads is not None and len(node.inputs) < 4:
            key = f"pads of {node.outputs[0]}"
            self.constants[key] = np.asarray(pads).reshape(2, -1).T
            node.kind, node.inputs = "pad", (node.inputs[0], key)
            node.options = {"mode": options.get("mode", b"constant").decode(), "value": float(np.ravel(value)[0])}

    def _tile(self, node, options):
        node.kind = "repeat"

    def _resize(self, node, options):
        sizes = [self.constants.get(name) for name in node.inputs[2:]]
        scales, sizes = (*sizes, None)[:2]
        mode = options.get("mode", b"nearest").decode()
        where = options.get("coordinate_transformation_mode", b"half_pixel").decode()
        rounds = options.get("nearest_mode", b"round_prefer_floor").decode() if mode == "nearest" else ""

        def new(shape):
            if sizes is not None and len(sizes):
                return list(sizes[2:])
            return [int(np.floor(n * s)) for n, s in zip(shape[2:], scales[2:], strict=True)]

        rank = len(scales if sizes is None or not len(sizes) else sizes) - 2
        node.kind, node.inputs = "resize", (node.inputs[0],)
        symmetric = where in ("half_pixel", "align_corners")
        if mode == "nearest":
            symmetric = _NEAREST.get((where, rounds), nearest_centers if where == "half_pixel" else False)
        node.options = {"axes": tuple(range(2, 2 + rank)), "sizes": new, "mode": (mode, where, rounds)}
        node.options["symmetric"] = symmetric


def _window(options, rank):
    pads = options.get("pads", [0] * 2 * rank)
    auto = options.get("auto_pad", b"NOTSET").decode()
    explicit = list(zip(pads[:rank], pads[rank:], strict=True))
    padding = {"SAME_UPPER": "same", "VALID": "valid", "NOTSET": explicit}[auto]
    return {
        "axes": tuple(range(2, 2 + rank)),
        "strides": options.get("strides", [1] * rank),
        "dilations": options.get("dilations", [1] * rank),
        "padding": padding,
    }


def _wrapped(axes, rank):
    return {axis % rank for axis in axes}


def _shape(described):
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in described.type.tensor_type.shape.dim)


def _layer(node):
    """The layer that an operation comes from, as the converter writes it."""
    parts = [part for part in node.name.split("/") if part and not part.startswith("StatefulPartitionedCall")]
    return "/".join(parts[1:-1] if len(parts) > 2 else parts) or node.name
