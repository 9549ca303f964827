"""TFLite files: converted from a SavedModel to builtin operations only, and run in LiteRT for verification."""

import re
import warnings

import numpy as np

from keras_equivariant.export.folding.block_rule import TFLITE
from keras_equivariant.export.formats import integers, saved_model
from keras_equivariant.export.formats.backend import litert, tensorflow
from keras_equivariant.export.formats.format import Format
from keras_equivariant.export.formats.saved_model import SIGNATURE


def convert(saved_model, precision="float32", representative_data=None, inference_type="float32"):
    """The content of a .tflite file.

    Args:
        saved_model: folder of a SavedModel.
        precision: `"float32"`, `"float16"` (weights) or `"int8"` (weights and activations).
        representative_data: dict from input name to array, samples on axis 0; sets the ranges of int8 activations.
        inference_type: `"float32"` or `"int8"`: what an int8 model takes and returns.
    """
    tf = tensorflow(["tflite"])
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=[SIGNATURE])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _samples(representative_data)
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(inference_type)
    with warnings.catch_warnings():
        # Calibration runs in an interpreter that TensorFlow itself calls deprecated.
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf.lite.Interpreter is deprecated")
        try:
            return converter.convert()
        except Exception as error:
            _refuse(error)  # its class is not public, and its text is pages of compiler notes


_LOOP = "TensorListReserve"
# What computes the same, or nearly so, where TFLite lacks the operation that Keras takes.
_INSTEAD = {
    **dict.fromkeys(("ResizeBicubic", "ScaleAndTranslate"), 'interpolate by "bilinear" or "nearest"'),
    "BitwiseAnd": "take keras.ops.argmax of what the model gives, outside of it",
    "Roll": "join the two parts by keras.ops.concatenate",
    **dict.fromkeys(("MaxPool3D", "AvgPool3D", "SpaceToBatchND", "BatchToSpaceND"), "use layers of two axes of space"),
    _LOOP: "make recurrent layers with unroll=True",
}


def _refuse(error):
    """ValueError that says what the converter refuses and what to do, from the text of its error."""
    text = str(error)
    foreign = dict(re.findall(r'"([^"@]+)@[^\n]*?: \'tf\.(\w+)\' op is neither a custom op', text))
    foreign = foreign or dict(re.findall(rf'"([^"@]+)@[^\n]*?: \'tf\.({_LOOP})\' op', text))
    if not foreign:
        reason = next((line for line in text.splitlines() if "error:" in line), type(error).__name__)
        raise ValueError(
            "The TFLite converter must be able to read the graph of a model. Received: one that it refuses "
            f'({reason[-200:]}). Export it as "saved_model".'
        ) from error
    listed = ", ".join(f"{operation} of {place}" for place, operation in foreign.items())
    if re.search(r"tf\.(?:Depthwise)?Conv\w*\(tensor<\?x\?x\?x(\?x)?\?x", text):
        raise ValueError(
            "TFLite's converter must know the number of channels that a convolution takes, and Keras's nearest "
            f"UpSampling does not tell it for images of unknown sizes. Received: {listed}. Give the input "
            'fixed sizes, or export it as "saved_model".'
        ) from error
    instead = ", and ".join(dict.fromkeys(_INSTEAD.get(name, "use other layers") for name in foreign.values()))
    raise ValueError(
        f"A .tflite file may hold operations that TFLite has built in. Received: {listed}. Export the model as "
        f'"saved_model", or {instead}.'
    ) from error


def _write(precision):
    def write(source, path):
        folder = _for_integers(source, path) if precision == "int8" else source.file("saved_model")
        content = convert(folder, precision, source.data, source.inference_type)
        if precision == "int8":
            integers.check_ranges(content)
        path.write_bytes(content)

    return write


def _for_integers(source, path):
    """The SavedModel that a file of integers is made from."""
    from keras_equivariant.export.formats import exponentials, lanes, places

    model = source.model
    changes = lanes.needs_whole_lanes, exponentials.takes_exponentials, places.rounds_places
    if not any(change(model) for change in changes):
        return source.file("saved_model")
    folder = path.with_name("for_integers")
    with exponentials.of_negatives(model), lanes.whole_lanes(model), places.by_matrices(model):
        saved_model.write(source, folder)
    return folder


def _samples(data):
    for i in range(len(next(iter(data.values())))):
        yield {name: values[i : i + 1] for name, values in data.items()}


def load(path, source=None):
    """The .tflite file as a function from a dict of arrays to a dict of arrays; int8 is scaled on the way."""
    interpreter, _ = litert()
    runner = interpreter.Interpreter(model_content=path.read_bytes()).get_signature_runner(SIGNATURE)
    given, returned = runner.get_input_details(), runner.get_output_details()

    def run(inputs):
        try:
            outputs = runner(**{name: _quantize(x, given[name]) for name, x in inputs.items()})
        except RuntimeError as error:
            if "div.cc" not in str(error):
                raise
            raise RuntimeError("it divides by numbers that 256 steps cannot tell from 0; use tflite_float16") from error
        return {name: _dequantize(y, returned[name]) for name, y in outputs.items()}

    return run


def operations(path):
    """Names of the operations of a .tflite file, in order; custom ones as `CUSTOM name`."""
    _, schema = litert()
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}

    def name(operator):
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Old files keep the code in a byte field, new ones in a wider one.
        builtin = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        return f"CUSTOM {code.CustomCode().decode()}" if builtin == "CUSTOM" else builtin

    graphs = (model.Subgraphs(i) for i in range(model.SubgraphsLength()))
    return [name(graph.Operators(i)) for graph in graphs for i in range(graph.OperatorsLength())]


def details(path):
    """Names, shapes, dtypes and quantization of the inputs and outputs, as what a client needs to know."""
    interpreter, _ = litert()
    runner = interpreter.Interpreter(model_content=path.read_bytes()).get_signature_runner(SIGNATURE)
    return {
        "inputs": {name: _detail(d) for name, d in runner.get_input_details().items()},
        "outputs": {name: _detail(d) for name, d in runner.get_output_details().items()},
    }


def _detail(d):
    scale, zero_point = d["quantization"]
    described = {"shape": [int(n) for n in d["shape_signature"]], "dtype": np.dtype(d["dtype"]).name}
    return {**described, "scale": float(scale), "zero_point": int(zero_point)} if scale else described


def _quantize(x, detail):
    scale, zero_point = detail["quantization"]
    if np.dtype(detail["dtype"]) != np.int8 or not scale:
        return x
    return np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)


def _dequantize(y, detail):
    scale, zero_point = detail["quantization"]
    return (y.astype(np.float32) - zero_point) * np.float32(scale) if y.dtype == np.int8 and scale else y


_COMMON = {
    "extra": "train",
    "runs_with": ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated"),
    "backend": "tensorflow",
    "load": load,
    "operations": operations,
    "foreign": ("CUSTOM", "Flex"),
    "signature": details,
}
FORMATS = (
    Format(
        name="tflite",
        file="{name}.tflite",
        purpose="LiteRT, float32",
        write=_write("float32"),
        pointwise=TFLITE,
        **_COMMON,
    ),
    Format(
        name="tflite_float16",
        file="{name}_float16.tflite",
        purpose="LiteRT, weights of half the size",
        write=_write("float16"),
        pointwise=TFLITE,
        tolerance=1e-2,
        typed_symmetry=2e-3,  # kernels between irreps are no copies of each other, hence round apart
        **_COMMON,
    ),
    Format(
        name="tflite_int8",
        file="{name}_int8.tflite",
        purpose="LiteRT, weights and activations in integers",
        write=_write("int8"),
        tolerance=0.2,
        symmetry=1e-2,
        needs_data=True,
        refuses=integers.refused,
        explains=integers.explained,
        **_COMMON,
    ),
)
