"""From a YAML spec to a Keras model: grammar, parameters, the symmetry linter, and the build."""

from keras_equivariant.compiler.build import build_from_spec, lint
from keras_equivariant.compiler.errors import Problem, SpecError
from keras_equivariant.compiler.linter import trace
from keras_equivariant.compiler.parser import parse_value
from keras_equivariant.compiler.schema import json_schema
from keras_equivariant.compiler.source import list_specs
from keras_equivariant.compiler.spec import Spec, load_spec

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
    "trace",
]
