"""Layers for Keras that are equivariant by construction, and a compiler from YAML specs to whole models."""

from keras_equivariant.utils import startup as _startup
from keras_equivariant.version import __version__

if not _startup.is_light(__name__):
    from keras_equivariant import compiler, data, dynamics, groups, layers
    from keras_equivariant.compiler import SpecError, build_from_spec, lint, list_specs, load_spec, register_layer
    from keras_equivariant.conversion import canonical_ties, conversion_table, equivariant, spec_of, symmetrize
    from keras_equivariant.costs import estimate
    from keras_equivariant.equivariance import Report, assert_equivariant, certify, equivariance_error
    from keras_equivariant.export import ExportError, ExportReport, Proof, export, fold, prove
    from keras_equivariant.groups import FieldType
    from keras_equivariant.layers.core.base import EquivariantLayer
    from keras_equivariant.presets import from_preset, list_presets, preset_info, save_preset
    from keras_equivariant.training import refit_head, train
    from keras_equivariant.training.bases import learn_basis
    from keras_equivariant.training.memory import rematerialize
    from keras_equivariant.training.predict_files import predict_files
    from keras_equivariant.training.statistics import recompute_statistics
    from keras_equivariant.training.volumes import predict_volume
    from keras_equivariant.transfer import (
        Projection,
        convert_basis,
        delta_orthogonal,
        from_escnn,
        import_filters,
        project,
        relax,
        restrict,
    )

__all__ = [
    "EquivariantLayer",
    "ExportError",
    "ExportReport",
    "FieldType",
    "Projection",
    "Proof",
    "Report",
    "SpecError",
    "__version__",
    "assert_equivariant",
    "build_from_spec",
    "canonical_ties",
    "certify",
    "compiler",
    "conversion_table",
    "convert_basis",
    "data",
    "delta_orthogonal",
    "dynamics",
    "equivariance_error",
    "equivariant",
    "estimate",
    "export",
    "fold",
    "from_escnn",
    "from_preset",
    "groups",
    "import_filters",
    "layers",
    "learn_basis",
    "lint",
    "list_presets",
    "list_specs",
    "load_spec",
    "predict_files",
    "predict_volume",
    "preset_info",
    "project",
    "prove",
    "recompute_statistics",
    "refit_head",
    "register_layer",
    "relax",
    "rematerialize",
    "restrict",
    "save_preset",
    "spec_of",
    "symmetrize",
    "train",
]
