"""Verification of an artifact in the runtime that will execute it: the numbers, the symmetry, the operations."""

import dataclasses
import functools

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.equivariance import equivariance_error, points
from keras_equivariant.equivariance.errors import input_layouts
from keras_equivariant.equivariance.layouts import own_layouts
from keras_equivariant.equivariance.measure import OnArrays, fitting, measure
from keras_equivariant.equivariance.twin import NotClonable, in_float64, random_inputs
from keras_equivariant.equivariance.verdict import raised_by_rounding
from keras_equivariant.export import representative
from keras_equivariant.graphs.reading import walk
from keras_equivariant.graphs.symmetry import field_types, group_of, kept_by, output_layouts

# A model that computes in half precision differs from its float32 artifacts by its own rounding.
_ROUNDING = {"float16": 2e-2, "bfloat16": 1e-1}
_FACTOR = 10.0  # how much more symmetry an artifact may lose than the Keras model has lost already

BATCHES = (1, 3)


def test_inputs(graph, data, size=32):
    """A few samples for every input as a list of arrays: the first of `data`, else smooth random images."""
    samples = max(BATCHES)
    if data is not None:
        return [np.asarray(x)[:samples] for x in keras.tree.flatten(data)]
    try:
        return keras.tree.flatten(random_inputs(graph, groups.get("C1"), samples, size, seed=0))
    except ValueError as error:
        raise ValueError(f"Test inputs cannot be made up; pass a few as `representative_data`. {error}") from error


def _inputs_of_own_scale(graph, inputs):
    """Smooth random images in the range that a leading Normalization or Rescaling expects and that `inputs` have.

    None where no such layer says what the model expects.
    """
    if representative.first_scaling(graph) is None:
        return None
    low, high = inputs[0].min(), inputs[0].max()
    return [np.clip(x, low, high).astype(inputs[0].dtype) for x in test_inputs(graph, None)]


class Reference:
    """The Keras model's outputs and symmetry, which all artifacts are compared with.

    Args:
        model: the model as it was trained.
        graph: the same as a functional model.
        inputs: list of arrays.
        group: group name, or None for that of the model's layers.
    """

    def __init__(self, model, graph, inputs, group=None):
        self.inputs = inputs
        self.note = None
        self._structure = graph.input
        self._graph = graph
        self.outputs = self.run(inputs)
        self.own_inputs = _inputs_of_own_scale(graph, inputs)
        self.own_outputs = self.run(self.own_inputs) if self.own_inputs else None
        dtypes = {layer.compute_dtype for layer in walk(graph)}
        self.rounding = max((_ROUNDING.get(dtype, 0.0) for dtype in dtypes), default=0.0)
        permuted = all(layout is None or layout.permutes for layout in output_layouts(graph))
        self.typed = bool(field_types(model)) or not permuted
        self.group, self.equivariance = None, None
        try:
            self.group = _kept(group_of(model), inputs) if group is None else groups.get(group)
            layers = list(walk(model))
            if points.move(layers, self.group):
                self.group = points.sample(self.group, layers)
            self.equivariance = self.symmetry(self.run)
        except ValueError as error:
            if group is not None:
                raise
            self.note = f"the symmetry was not measured: {error}"
        if self.equivariance and not np.isfinite(list(self.equivariance.values())).all():
            self.note = "the symmetry was not measured: the model's outputs are zero or not finite on the test inputs"

    def run(self, arrays):
        outputs = self._graph(keras.tree.pack_sequence_as(self._structure, list(arrays)), training=False)
        return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(outputs)]

    @functools.cached_property
    def own_rounding(self):
        """By how much the model's outputs differ from those in float64, relative; 0 where it has no twin there."""
        try:
            twin = in_float64(self._graph, self._structure, self.inputs, self.outputs)
        except NotClonable:
            return 0.0
        return _difference(OnArrays(twin, self._structure), self)[1]

    def symmetry(self, function):
        """Errors by exact grid element; None where nothing is known about the symmetry."""
        if self.group is None or self.note is not None:
            return None
        given, found = self.layouts
        options = {"input_layout": given, "output_layout": found}
        return dict(equivariance_error(function, self.group, self.inputs, elements="exact", **options))

    @functools.cached_property
    def layouts(self):
        """Those of the inputs and of the outputs."""
        if self.group.orthogonal:
            return "auto", own_layouts(self._graph)
        given = points.own_inputs(self._graph, self.group)
        given = input_layouts(self.inputs, self.group, given)
        elements = range(self.group.order)

        def measured(found):
            return measure(self.run, self.group, self.inputs, elements, given, lambda _: found, len(self.inputs[0]))

        return given, fitting(points.output_layouts(self._graph, self.group.dimension), measured)


def _kept(group, inputs):
    """The part of a group that inputs of these sizes keep."""
    sizes = max((x.shape[1:-1] for x in inputs), key=len)
    return kept_by(group, sizes) if group.orthogonal and len(sizes) == group.dimension else group


def verify(artifact, format, run, source, reference, tolerance=None):
    """The artifact with its measurements, and its problems if it has any.

    Args:
        artifact: Artifact.
        format: its Format.
        run: the artifact in its runtime, from a dict of arrays to a dict of arrays.
        source: the Source that it was written from.
        reference: Reference.
        tolerance: largest relative error that passes; by default that of the format, or, where the model amplifies
            rounding, four times what its own outputs round by, ten times that of the format at most.
    """

    def function(arrays):
        outputs = run(source.named(arrays))
        return [outputs[name] for name in source.output_names]

    by_default = tolerance is None
    if by_default:
        tolerance = max(format.tolerance, reference.rounding)
    try:
        max_error, relative = _difference(function, reference)
    except RuntimeError as error:
        return dataclasses.replace(artifact, tolerance=tolerance, problems=(f"its runtime stops at it: {error}",))
    problems = []
    own_error = _difference(function, reference, own_scale=True)[1] if reference.own_inputs else 0.0
    if by_default and not max(relative, own_error) <= tolerance:
        tolerance = raised_by_rounding(tolerance, reference.own_rounding)
    if not max(relative, own_error) <= tolerance:
        own = relative <= tolerance
        where = "on random inputs of the scale that its first layer expects " if own else ""
        reason = format.explains(source.file(format.name))
        problems.append(
            f"{where}its outputs differ from the Keras model's by {own_error if own else relative:.2g} relative, more "
            f"than {tolerance:.2g}" + (f": {reason}" if reason else "")
        )
    symmetry = reference.symmetry(function)
    if symmetry:
        worst = max(symmetry.values())
        own = max(reference.equivariance.values())
        allowed = max(format.symmetry_lost(reference.typed), reference.rounding, _FACTOR * own)
        if not worst <= allowed:
            problems.append(f"its {reference.group.name} symmetry error is {worst:.2g}, the Keras model's {own:.2g}")
    foreign = [name for name in artifact.operations if name.startswith(format.foreign)]
    if foreign:
        problems.append(f"it needs operations that its runtime does not have: {foreign}")
    return dataclasses.replace(
        artifact,
        max_error=max_error,
        relative_error=relative,
        tolerance=tolerance,
        equivariance=symmetry,
        batches=BATCHES,
        problems=tuple(problems),
    )


def _difference(function, reference, own_scale=False):
    """Largest absolute and relative difference over the batch sizes and outputs."""
    absolute = relative = 0.0
    given = reference.own_inputs if own_scale else reference.inputs
    wanted = reference.own_outputs if own_scale else reference.outputs
    for batch in BATCHES:
        inputs = [x[:batch] for x in given]
        for actual, expected in zip(function(inputs), wanted, strict=True):
            expected = expected[:batch].astype("float64")
            if actual.shape != expected.shape:
                return float("inf"), float("inf")
            largest = np.abs(expected).max(initial=0.0)
            difference = float(np.abs(actual - expected).max(initial=0.0))
            absolute = np.maximum(absolute, difference)
            relative = np.maximum(relative, difference / largest if largest else difference)
    return float(absolute), float(relative)
