"""Out of training, into service: models of stock Keras layers, SavedModels and .tflite files, each verified."""

from keras_equivariant.utils import startup as _startup
from keras_equivariant.utils.deprecation import moved

if not _startup.is_light(__name__):
    from keras_equivariant.export.exporter import export
    from keras_equivariant.export.folding.fold import fold
    from keras_equivariant.export.formats.format import Format
    from keras_equivariant.export.formats.registry import format_names, register_format
    from keras_equivariant.export.proof.prove import prove
    from keras_equivariant.export.proof.report import Proof
    from keras_equivariant.export.report import Artifact, ExportError, ExportReport

__all__ = [
    "Artifact",
    "ExportError",
    "ExportReport",
    "Format",
    "Proof",
    "export",
    "fold",
    "format_names",
    "prove",
    "register_format",
]

__getattr__ = moved(__name__, {"Artefact": (__name__, "Artifact")})
