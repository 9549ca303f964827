"""Files that are not whole are refused with their reason, and nothing is ever proved of them."""

import random

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke

pytest.importorskip("ai_edge_litert", reason="reads .tflite files")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network of one layer as .tflite and .onnx files."""
    pytest.importorskip("onnxruntime", reason="verifies .onnx files")
    pytest.importorskip("tf2onnx", reason="writes .onnx files")
    folder = tmp_path_factory.mktemp("whole")
    image = keras.Input((8, 8, 1))
    x = ke.layers.GroupPooling("max")(ke.layers.LiftingConv2D(2, 3, group="C4")(image))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    ke.export(model, folder, ["tflite", "onnx"], name="whole")
    return folder


DAMAGES = {
    "empty": lambda content: b"",
    "a text": lambda content: b"hello " * 200,
    "half": lambda content: content[: len(content) // 2],
    "cut at the end": lambda content: content[:-40],
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_what_is_not_whole_is_refused(suffix, damage, folder, tmp_path):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(DAMAGES[damage]((folder / f"whole{suffix}").read_bytes()))
    with pytest.raises(ValueError, match=r"is a whole \.(tflite|onnx) file\. Received: .*damaged\."):
        ke.prove(path)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_one_byte(suffix, folder, tmp_path):
    """Whichever byte is another, the answer is a verdict or an error that names the file."""
    content = (folder / f"whole{suffix}").read_bytes()
    numbers, path = random.Random(0), tmp_path / f"changed{suffix}"
    for _ in range(150):
        changed = bytearray(content)
        changed[numbers.randrange(len(changed))] ^= 1 << numbers.randrange(8)
        path.write_bytes(changed)
        try:
            ke.prove(path, "C4")
        except ValueError as error:
            assert "Received: " in str(error)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".keras"])
def test_no_file(suffix, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Received: .*missing"):
        ke.prove(tmp_path / f"missing{suffix}")


def _without_a_type(graph, onnx):
    graph.initializer.append(onnx.numpy_helper.from_array(np.ones(2, np.float32), "ones"))
    graph.node.append(onnx.helper.make_node("Cast", ["ones"], ["other"]))


def _with_a_part_too_many(graph, onnx):
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 1]), "sizes"))
    parts = onnx.helper.make_node("Split", [graph.node[-1].output[0], "sizes"], ["one", "two", "three"], axis=1)
    graph.node.append(parts)


@pytest.mark.parametrize("damage", [_without_a_type, _with_a_part_too_many])
def test_operations_that_are_not_whole_are_not_covered(damage, folder, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(folder / "whole.onnx"))
    damage(model.graph, onnx)
    model.graph.output[0].name = model.graph.node[-1].output[0]
    onnx.save(model, str(tmp_path / "changed.onnx"))
    assert ke.prove(tmp_path / "changed.onnx", "C4").verdict == "not covered"


def test_strides_of_nothing_are_not_covered(folder, tmp_path):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((folder / "whole.tflite").read_bytes(), 0))
    options = next(one.builtinOptions for one in model.subgraphs[0].operators if hasattr(one.builtinOptions, "strideH"))
    options.strideH = 0
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "changed.tflite").write_bytes(bytes(builder.Output()))
    assert ke.prove(tmp_path / "changed.tflite", "C4").verdict == "not covered"
