"""Out of training, into service: models of stock Keras layers, SavedModels and .tflite files, each verified."""

from keras_equivariant.export.arguments import FORMATS
from keras_equivariant.export.exporter import export
from keras_equivariant.export.folding.fold import fold
from keras_equivariant.export.proof.prove import prove
from keras_equivariant.export.proof.report import Proof
from keras_equivariant.export.report import Artefact, ExportError, ExportReport

__all__ = ["FORMATS", "Artefact", "ExportError", "ExportReport", "Proof", "export", "fold", "prove"]
