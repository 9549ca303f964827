"""Files that are not whole are refused with their reason, and nothing is ever proved of them."""

import random

import keras
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
