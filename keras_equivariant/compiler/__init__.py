"""From a YAML spec to a Keras model: grammar, parameters, the symmetry linter, and the build."""

from keras_equivariant.utils import startup as _startup

if not _startup.is_light(__name__):
    from keras_equivariant.compiler.build import build_from_spec, lint
    from keras_equivariant.compiler.grammar.errors import Problem, SpecError
    from keras_equivariant.compiler.grammar.parser import parse_value
    from keras_equivariant.compiler.grammar.registry import register_layer
    from keras_equivariant.compiler.grammar.schema import json_schema
    from keras_equivariant.compiler.grammar.source import list_specs
    from keras_equivariant.compiler.grammar.spec import Spec, load_spec
    from keras_equivariant.compiler.linter.linter import trace

__all__ = [
    "Problem",
    "Spec",
    "SpecError",
    "build_from_spec",
    "json_schema",
    "lint",
    "list_specs",
    "load_spec",
    "parse_value",
    "register_layer",
    "trace",
]
