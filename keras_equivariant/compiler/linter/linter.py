"""The symmetry linter: walks a whole network by shapes alone, before anything is built."""

from __future__ import annotations

import dataclasses

import keras

from keras_equivariant.compiler.grammar import registry
from keras_equivariant.compiler.grammar.arguments import made
from keras_equivariant.compiler.grammar.errors import Problem, SpecError
from keras_equivariant.compiler.grammar.network import Branches, LayerEntry
from keras_equivariant.compiler.grammar.spec import Spec
from keras_equivariant.compiler.linter import input_sizes, rules, typed
from keras_equivariant.compiler.linter.bounds import (
    check_kernel,
    check_orthogonal,
    check_points,
    check_total,
    count_parameters,
    flat,
    held,
)
from keras_equivariant.compiler.linter.rules import Features
from keras_equivariant.groups.layouts import BreaksSymmetry, Broken, Points, Quotient, Regular, WrongFeatures
from keras_equivariant.layers.points.features import OnPoints
from keras_equivariant.stock.making import channels_last
from keras_equivariant.utils.text import aligned

INPUT_NAME = "input_layer"


@dataclasses.dataclass(frozen=True)
class TracedLayer:
    """One layer of a traced network.

    Attributes:
        entry: its `LayerEntry`.
        layer: the unbuilt Keras layer.
        features: what leaves it, a `rules.Features`.
        problems: tuple of what breaks its symmetry.
    """

    entry: LayerEntry
    layer: object
    features: Features
    problems: tuple


@dataclasses.dataclass
class Trace:
    """A network walked by shapes.

    Attributes:
        spec: the `Spec`.
        layers: list of `TracedLayer`, in the order of the network.
        problems: list of `Problem`, errors and warnings.
        output: the last `Features`.
        claim: the group whose symmetry it claims, or None.
    """

    spec: object
    layers: list
    problems: list
    output: Features | None = None
    claim: object = None

    @property
    def errors(self):
        """The problems that forbid building."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def __str__(self):
        rows = [(str(t.entry.where), t.entry.layer, str(t.features), str(t.features.shape)) for t in self.layers]
        lines = []
        for traced, line in zip(self.layers, aligned(rows), strict=True):
            lines.append(line)
            lines += [f"    {problem.severity}: {problem.message}" for problem in traced.problems]
        ending = [p for p in self.problems if not any(p in traced.problems for traced in self.layers)]
        return "\n".join(lines + [f"{problem.severity}: {problem}" for problem in ending])


def trace(spec: Spec) -> Trace:
    """Walks a network by `compute_output_shape`; creates no weights.

    Args:
        spec: a `Spec`.

    Returns:
        A `Trace`. Where a shape does not fit, it ends with that layer and its problem.
    """
    known = {}
    found = _walked(spec, known)
    if any(problem.severity == "error" for problem in found.problems):
        advice = input_sizes.advice(spec, found.problems, lambda other: _walked(other, known).problems)
        if advice:
            found.problems = [_of_inner_layer(problem) for problem in found.problems] + [advice]
    return found


def _of_inner_layer(problem):
    """A problem whose remedies are those of a layer inside: the size to change is that of the input."""
    message = problem.message.replace(input_sizes.USE_SIZE, "; this layer would take size")
    return dataclasses.replace(problem, message=message)


def _walked(spec, known):
    walker = _Walker(spec, known)
    try:
        start = walker.start(spec)
        features = walker.walk(spec.layers, start)
    except SpecError as error:
        walker.trace.problems += error.problems
        return walker.trace
    walker.trace.output = features
    message = rules.ending(features) if walker.claim and spec.law == "invariance" else None
    if message:
        last = list(flat(spec.layers))[-1]
        walker.trace.problems.append(Problem(last.where, message, "warning"))
    return walker.trace


class _Walker:
    """One walk.

    Args:
        spec: the `Spec`.
        known: the layers of other walks by what they are made of, since most are the same on every size of the input.
    """

    def __init__(self, spec, known):
        self.known = known
        self.trace = Trace(spec, [], [])
        self.names = {}
        self.parameters = self.weights = 0
        entries = list(flat(spec.layers))
        # The symmetry that the network claims; a plain network claims none and is not judged.
        self.claim, nothing_shared = rules.claimed(entries)
        self.trace.claim = self.claim
        if nothing_shared:
            self.trace.problems.append(Problem(entries[-1].where, nothing_shared, "warning"))
        self.taken = {spec.input.get("name", INPUT_NAME)}
        for entry in entries:
            name = entry.arguments.get("name")
            if name in self.taken:
                message = f'the name "{name}" is given to two layers; in a repeat, add its index: "{name}_${{i}}"'
                self.trace.problems.append(Problem(entry.where, message))
            if name:
                self.taken.add(name)

    def start(self, spec):
        """The features that the input is; SpecError for values that do not have the type they are said to have."""
        try:
            given = (spec.input.get(key) for key in ("type", "periodic"))
            return rules.input_features(spec.input_shape, spec.input.get("space"), self.claim, *given)
        except ValueError as error:
            raise next(flat(spec.layers)).where.error(f"`input`: {error}") from None

    def walk(self, entries, features):
        for entry in entries:
            if isinstance(entry, Branches):
                branches = [self.walk(branch, features) for branch in entry.branches]
                features = self._merge(entry, branches)
            else:
                features = self._layer(entry, features)
        return features

    def _layer(self, entry, features):
        layer = self._construct(entry, features)
        layouts, shapes = features.tensors() if isinstance(layer, OnPoints) else ([features.layout], [features.shape])
        layout, problem = self._law(entry, layer, layouts, shapes)
        if isinstance(layout, Points):
            check_points(entry, shapes)
        shape = self._shape(entry, layer, shapes if len(shapes) > 1 else shapes[0])
        shape = shape if isinstance(shape[0], int | None) else shape[1]
        count = count_parameters(entry, layer, features.shape, shape)
        check_orthogonal(entry, layer, shape, count)
        self.parameters += count
        self.weights += held(entry, layer, count)
        check_total(self.parameters, self.weights, entry.where)
        return self._record(entry, layer, Features(shape, layout), problem)

    def _merge(self, branches, features):
        entry = branches.merge
        layer = self._construct(entry, features[0])
        shapes = [f.shape for f in features]
        layout, problem = self._law(entry, layer, [f.layout for f in features], shapes)
        if problem and not self.claim and not features[0].on_points:
            layout, problem = features[0].layout, None
        return self._record(entry, layer, Features(self._shape(entry, layer, shapes), layout), problem)

    def _law(self, entry, layer, layouts, shapes):
        """The layout behind a layer, and what breaks its symmetry or None; SpecError where it cannot take them."""
        try:
            return rules.law(layer, layouts, shapes, self.claim), None
        except WrongFeatures as error:
            raise entry.where.error(str(error)) from None
        except BreaksSymmetry as error:
            return error.layout, str(error)
        except Exception as error:  # as in _construct
            self._shape(entry, layer, shapes[0])  # may say it better
            raise entry.where.error(str(error)) from error

    def _record(self, entry, layer, features, message):
        severity = "error" if entry.arguments.get("strict", True) else "warning"
        problems = (Problem(entry.where, message, severity),) if message else ()
        rough = layer.rotation_problem() if hasattr(layer, "rotation_problem") else None
        problems += (Problem(entry.where, rough, "warning"),) if rough else ()
        # A repeat says the same of every round.
        self.trace.problems += [problem for problem in problems if problem not in self.trace.problems]
        self.trace.layers.append(TracedLayer(entry, layer, features, problems))
        return features

    def _construct(self, entry, features):
        check_kernel(entry)
        own, inferred = entry.arguments, {}
        if registry.arguments(entry.layer).get("group", "") is None and not own.get("group"):
            inferred["group"] = self._assumed_group(entry, features)
        if typed.takes_type(entry.layer):
            inferred["in_type"] = typed.given_type(entry, features)
        if isinstance(features.layout, Broken) and "strict" not in own and registry.has_strict(entry.layer):
            inferred["strict"] = False  # said of the layer that broke them, which is allowed to
        if not own.get("name"):
            inferred["name"] = self._unique_name(entry.layer)
        key = entry.layer, repr(own), repr(inferred)
        if key not in self.known:
            self.known[key] = self._made(entry, inferred)
        return self.known[key]

    def _made(self, entry, inferred):
        given = made(entry.layer, entry.arguments) | inferred
        if not registry.has_strict(entry.layer):
            given.pop("strict", None)
        layer_class = registry.layer_classes()[entry.layer]
        try:
            return layer_class(**channels_last(layer_class) | given)
        except Exception as error:  # what stock layers raise on options that they do not take has no common base
            raise entry.where.error(str(error)) from error

    def _assumed_group(self, entry, features):
        """The symmetry to judge sizes by where the layer names none; on points that of the lift."""
        layout = features.layout
        if isinstance(layout, Quotient) or (isinstance(layout, Regular) and layout.scales > 1):
            return None  # there are as many entries on its axis as cosets, or on several scales as group axes
        if layout.group is not None:
            return layout.group.name
        if issubclass(registry.layer_classes()[entry.layer], OnPoints):
            return None
        if self.claim:
            return None if "&" in self.claim.name else self.claim.name  # what has no name of its own is in no config
        return "Z3" if features.rank == 3 else "C1"

    def _unique_name(self, layer):
        """Keras's own naming, counted from the start in every model."""
        while True:
            count = self.names[layer] = self.names.get(layer, -1) + 1
            name = registry.snake_case(layer) + (f"_{count}" if count else "")
            if name not in self.taken:
                return name

    def _shape(self, entry, layer, shape):
        try:
            found = layer.compute_output_shape(shape)
        except Exception as error:  # as above
            received = "" if "Received" in str(error) else f" Received: input shape {shape}"
            raise entry.where.error(f"{error}{received}") from None
        found = tuple(found)
        if any(size is not None and size < 1 for size in keras.tree.flatten(found)):
            raise entry.where.error(f"nothing is left of the input of shape {shape}. Received: output shape {found}")
        return found
