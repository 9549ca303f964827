"""A file of any of the formats that can be proved as a Graph, or the real reason why it cannot be read."""

import pathlib

from keras_equivariant.export.proof import read_onnx, read_tflite
from keras_equivariant.utils.keras_files import load_model

SUFFIXES = (".keras", ".onnx", ".tflite")
_STORED = {".onnx": read_onnx.read, ".tflite": read_tflite.read}


def read(artifact):
    """The Graph of a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a file of another kind, or one that is not whole.
    """
    path = pathlib.Path(artifact)
    if path.suffix not in SUFFIXES:
        raise ValueError(
            "What is proved is a .tflite, .onnx or .keras file, or a folded keras.Model. "
            f"Received: {artifact!r}; export the model in one of these formats, or pass ke.fold(model)"
        )
    if not path.exists():
        raise FileNotFoundError(f"No such file. Received: {path}. Give the path of a {path.suffix} file that is there.")
    graph = _graph(path)
    graph.name = path.name
    return graph


def _graph(path):
    if path.suffix == ".keras":
        from keras_equivariant.export.proof import read_keras

        return read_keras.read(load_model(path, compile=False))
    try:
        graph = _STORED[path.suffix](path)
    except (ImportError, OSError):
        raise
    except Exception as error:  # those of flatbuffers, protobuf and NumPy have no common base
        raise _not_whole(path, str(error).strip() or type(error).__name__) from error
    lacking = [what for what in ("inputs", "outputs") if not getattr(graph, what)]
    if lacking:  # of nothing everything could be proved, and an empty .onnx file is a model of nothing
        raise _not_whole(path, f"a network without {lacking[0]}")
    return graph


def _not_whole(path, reason):
    return ValueError(
        f"What is proved is a whole {path.suffix} file. Received: {path} ({reason.splitlines()[0]}). The file is "
        "damaged, incomplete or of another kind: export the model again, or fetch it again."
    )
