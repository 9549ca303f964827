"""ONNX files: converted from a SavedModel by tf2onnx, and run in ONNX Runtime for verification."""

import logging

import numpy as np

from keras_equivariant.export.folding.block_rule import ONNX
from keras_equivariant.export.formats.format import Format
from keras_equivariant.export.formats.saved_model import SIGNATURE
from keras_equivariant.utils.optional import require

OPSET = 17


def _module(name):
    return require(name, 'The format "onnx"', "onnx")


def write(source, path):
    """Writes the SavedModel as an .onnx file with the names of its signature and any batch size."""
    convert, loader = _module("tf2onnx.convert"), _module("tf2onnx.tf_loader")
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]  # they report deprecations of their own
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        graph, inputs, outputs, renamed = loader.from_saved_model(
            str(source.file("saved_model")), None, None, signatures=[SIGNATURE], return_tensors_to_rename=True
        )
        convert.from_graph_def(
            graph,
            name=source.name,
            input_names=inputs,
            output_names=outputs,
            tensors_to_rename=renamed,
            opset=OPSET,
            custom_op_handlers={"Erfc": (_erfc, [])},
            output_path=str(path),
        )
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _erfc(context, node, name, args):
    """1 - erf(x), which GELU has in a graph of TensorFlow and tf2onnx no rule for."""
    helper = _module("onnx.helper")
    error_function = context.make_node("Erf", node.input)
    kind = helper.tensor_dtype_to_np_dtype(context.get_dtype(node.input[0]))
    one = context.make_const(f"{name}_one", np.ones((), kind))
    context.remove_node(name)
    context.make_node("Sub", [one.output[0], error_function.output[0]], name=name, outputs=node.output)


def load(path, source=None):
    """The .onnx file as a function from a dict of arrays to a dict of arrays, on the CPU."""
    session = _session(path)
    names = [output.name for output in session.get_outputs()]

    def run(inputs):
        return dict(zip(names, session.run(names, inputs), strict=True))

    return run


def operations(path):
    """Types of the operations of an .onnx file, in order."""
    return [node.op_type for node in _module("onnx").load(str(path)).graph.node]


def _session(path):
    runtime = _module("onnxruntime")
    try:
        return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's classes of errors are not public
        raise ValueError(
            f"An .onnx file may hold operations of opset {OPSET}. Received: a model that ONNX Runtime refuses "
            f'({str(error).splitlines()[0]}); export it as "saved_model"'
        ) from error


FORMAT = Format(
    name="onnx",
    file="{name}.onnx",
    purpose=f"ONNX Runtime, opset {OPSET}",
    extra="onnx",
    writes_with=("tf2onnx.convert",),
    runs_with=("onnx", "onnxruntime"),
    backend="tensorflow",
    write=write,
    load=load,
    pointwise=ONNX,
    operations=operations,
)
