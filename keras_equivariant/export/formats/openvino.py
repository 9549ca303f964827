"""OpenVINO's intermediate representation: converted from a SavedModel, and run by OpenVINO for verification."""

from keras_equivariant.export.folding.block_rule import OPENVINO
from keras_equivariant.export.formats.format import Format
from keras_equivariant.utils.optional import require


def _openvino():
    return require("openvino", 'The format "openvino"', "openvino")


def write(source, folder):
    """Writes the SavedModel as `<name>.xml` and `<name>.bin`, weights in float32, names of its signature."""
    openvino = _openvino()
    folder.mkdir(exist_ok=True)
    # Not by `openvino.convert_model`, which reports every operation over the network, each from a process of its own.
    model = openvino.Core().read_model(str(source.file("saved_model")))
    openvino.save_model(model, str(folder / f"{source.name}.xml"), compress_to_fp16=False)


def load(folder, source):
    """The model as a function from a dict of arrays to a dict of arrays, on the CPU.

    OpenVINO computes in bfloat16 where the processor can; here it is told to keep float32.
    """
    core = _openvino().Core()
    compiled = core.compile_model(str(folder / f"{source.name}.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(inputs):
        results = compiled(inputs)
        return {output.get_any_name(): results[output] for output in compiled.outputs}

    return run


FORMAT = Format(
    name="openvino",
    file="{name}_openvino",
    purpose="OpenVINO, weights in float32",
    extra="openvino",
    writes_with=("openvino",),
    backend="tensorflow",
    write=write,
    load=load,
    pointwise=OPENVINO,
)
