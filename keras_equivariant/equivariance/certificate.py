"""`certify`: the certificate of a model, from its elements, precisions, angles, layers and controls."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import keras

from keras_equivariant import groups
from keras_equivariant.equivariance import points, twin
from keras_equivariant.equivariance.angles import angles_in_degrees, sweep
from keras_equivariant.equivariance.errors import check_law, checked_inputs, input_layouts, output_layouts
from keras_equivariant.equivariance.layouts import AUTO, Frames, finite, own_layouts, parsed
from keras_equivariant.equivariance.lie_derivative import lie_derivative
from keras_equivariant.equivariance.localize import localize, sizes
from keras_equivariant.equivariance.measure import OnArrays, batches, evaluate, fitting, measure, rounding, tested_on
from keras_equivariant.equivariance.report import Report
from keras_equivariant.equivariance.sizes import on_both_parities
from keras_equivariant.equivariance.verdict import (
    approximated,
    as_rounding_allows,
    judge,
    lowest_precision,
    tolerances_by_dtype,
    worst_error,
)
from keras_equivariant.graphs.reading import Untraceable, as_functional, walk
from keras_equivariant.graphs.symmetry import (
    field_types,
    framed_inputs,
    group_of,
    input_types,
    pooled_subgroups,
    symmetry_problems,
)
from keras_equivariant.groups.group import Group
from keras_equivariant.ops.precision import float64_kept
from keras_equivariant.utils.checks import positive, whole
from keras_equivariant.utils.text import number, share

# A rounding to float32 leaves more than this of an error, one to float64 less even where a network amplifies it.
ONCE_ROUNDED = 1e-10


@dataclasses.dataclass(frozen=True)
class Setting:
    """What stays the same through a certification."""

    group: groups.FiniteGroup
    inputs: object  # arrays in the structure that the model takes
    arrays: list  # the same, flat
    layouts: list  # one per input
    output_layouts: object  # from the shapes of the model's outputs to a list of one layout each
    subgroups: tuple
    types: tuple  # field types of the model's layers
    batch_size: int
    sizes: list | None = None  # for each output that of the features of which it is a mean
    lie: bool = False  # whether to measure Lie derivatives
    claimed: Group | None = None  # the group itself where another stands for it
    on_points: bool = False
    sample: Group | None = None  # elements of the claimed group beyond those of `group`, where any can be measured

    @property
    def elements(self):
        """The finite group, or sample, whose elements are measured."""
        return self.sample or self.group

    def measure(self, fn):
        """The law at the outputs of `fn`, for all elements."""
        return measure(
            OnArrays(fn, self.inputs),
            self.elements,
            self.arrays,
            range(self.elements.order),
            self.layouts,
            self.output_layouts,
            self.batch_size,
            self.sizes,
            points.there if self.on_points else None,
        )

    def fitting(self, found, fn):
        """The setting in which each output has, of the layouts found for it, the one that fits `fn`."""
        chosen = fitting(found, lambda some: dataclasses.replace(self, output_layouts=lambda _: some).measure(fn))
        return dataclasses.replace(self, output_layouts=lambda _: [[layout] for layout in chosen])


@float64_kept()
def certify(
    model: keras.layers.Layer | Callable[..., Any],
    group: str | Group | None = None,
    inputs: Any = None,
    *,
    law: Literal["equivariance", "invariance"] = "equivariance",
    input_layout: Any = "auto",
    output_layout: Any = "auto",
    angles: int | Sequence[float] = 24,
    layers: bool = True,
    dtypes: Sequence[str] = ("float64", "float32"),
    tolerance: float | Mapping[str, float] | None = None,
    samples: int = 2,
    size: int = 32,
    seed: int = 0,
    batch_size: int = 8,
    name: str | None = None,
) -> Report:
    """Measures whether a model is equivariant, and where it stops being so.

    For every element g of the group |f(g x) - g f(x)| / |f(x)| is measured in float64, on a clone of the model with
    the same weights, and in float32, on the model itself; then by angle of rotation, then at every layer's output.
    The controls show that the numbers mean something: the inputs change under g, the output is neither zero nor
    constant, and two calls agree.

    Args:
        model: a Keras model or layer, or any function of arrays (an exported artifact wrapped as a callable); for
            a function `group` and `inputs` are needed, and it is measured in its own precision only.
        group: group name or object; by default the group of the model's layers, the smallest one where it narrows
            from layer to layer. SO(2) is tested on C8, O(2) on D8, SO(3) on O, O(3) on Oh, a
            group about an axis as Cinfv on C8v, and features that lie on no pixels on random elements besides.
        inputs: arrays as in `equivariance_error`; by default smooth random images of the model's input shape, in
            the range that a leading Normalization or Rescaling layer expects.
        law: `"equivariance"`, or `"invariance"` to ask f(g x) = f(x) of every output.
        input_layout, output_layout: as in `equivariance_error`; by default what the layers say: the field type that the
            first one takes and that the last ones leave, else what the shape tells. `"1x1"` is a field type on `group`.
        angles: how many angles to sweep around the circle, in space about several axes, or the angles in degrees; 0
            for none. Images are taken on a disc and rotated by interpolation, so these errors are approximate.
        layers: whether to measure the law at every layer's output too. A layer's layout is the one that fits best.
        dtypes: which precisions to measure; `"float32"` stands for the model as it is.
        tolerance: largest error that counts as exact, a number or a dict by dtype; by default 1e-12 in float64,
            1e-5 in float32, 1e-2 in float16 and 1e-1 in bfloat16. Where a network amplifies rounding, as frames along
            nearly equal axes do, that of float64 is 2e-8 of the error in float32: a fault is as large in both. Where
            float64 is exact, that of float32 is four times what the outputs as they are round by, 1e-4 at most.
        samples: number of random images.
        size: height and width of the random images where the model leaves them open; `size + 1` is tested as well,
            and the report is that of the worse one.
        seed: seed of the random images.
        batch_size: the most samples in one call.
        name: what the report calls the model; by default its own name.

    Returns:
        A Report.

    Raises:
        ValueError: if the group, the inputs or a layout do not follow from the model and are not given.

    Example:
        >>> import keras
        >>> import keras_equivariant as ke
        >>> inputs = keras.Input((9, 9, 1))
        >>> x = ke.layers.LiftingConv2D(2, 3, group="C4")(inputs)
        >>> model = keras.Model(inputs, ke.layers.GroupPooling("max")(x))
        >>> ke.certify(model).exact
        True
    """
    check_law(law)
    if not dtypes or not set(dtypes) <= {"float64", "float32"}:
        raise ValueError(f'`dtypes` must name "float64", "float32" or both. Received: {dtypes!r}')
    samples, size = positive(samples, "samples"), positive(size, "size")
    seed, batch_size = whole(seed, "seed"), positive(batch_size, "batch_size")
    is_keras = isinstance(model, keras.Layer)
    network, opaque = None, ""
    if is_keras:
        try:
            network = as_functional(model, inputs, "certified in float64")
        except Untraceable as error:
            opaque = str(error)
    every_layer = list(walk(model)) if is_keras else []
    claimed = group_of(model) if group is None else groups.get(group)
    on_points = points.move(every_layer, claimed)
    group = points.sample(claimed, every_layer, seed) if on_points else finite(claimed)
    tolerances, angles, notes = tolerances_by_dtype(tolerance), angles_in_degrees(angles), []
    if group != claimed:
        tested = points.described(group) if on_points else f"{group.name}, and by angle"
        notes.append(f"{claimed.name} is tested on {tested}")
    if inputs is None:
        if opaque:
            raise ValueError(f"Without inputs= the inputs of a model must be known. {opaque}")
        inputs = twin.random_inputs(network, group, samples, size, seed)
        if not on_points and any(None in tensor.shape[1:] for tensor in network.inputs):
            options = {"law": law, "input_layout": input_layout, "output_layout": output_layout, "dtypes": dtypes}
            options |= {
                "angles": angles,
                "layers": layers,
                "tolerance": tolerance,
                "batch_size": batch_size,
                "name": name,
            }
            drawn = functools.partial(twin.random_inputs, network, group, samples, seed=seed)
            return on_both_parities(lambda n, **other: certify(model, claimed, drawn(size=n), **options | other), size)
        notes.append(f"inputs are {samples} smooth random images, seed {seed}")
    if on_points:
        layers = False  # a lift gives each point's elements in an order of its own
    arrays, subgroups = checked_inputs(inputs), pooled_subgroups(model)
    if network is not None and not on_points and _is_auto(input_layout):
        input_layout = [Frames() if framed else AUTO for framed in framed_inputs(network)]
        input_layout = [known or layout for known, layout in zip(input_types(network), input_layout, strict=True)]
    if network is not None and on_points and _is_auto(input_layout):
        input_layout = points.own_inputs(network, group)
    if network is not None and not on_points and _is_auto(output_layout):
        output_layout = own_layouts(network)
    setting = Setting(
        group,
        inputs,
        arrays,
        input_layouts(arrays, group, parsed(input_layout, claimed)),
        functools.partial(output_layouts, parsed(output_layout, claimed), group, law, subgroups),
        subgroups,
        field_types(model),
        batch_size,
        None if network is None else sizes(network, network.outputs, inputs, next(batches(arrays, batch_size))[0]),
        bool(angles) and not on_points,
        claimed,
        on_points,
    )

    own = model if isinstance(model, keras.Model) or network is None else network
    if not on_points:
        known = arrays, setting.layouts, setting.output_layouts, batch_size
        sample = tested_on(claimed, group, seed, OnArrays(own, inputs), *known)
        if sample is not group:
            setting = dataclasses.replace(setting, sample=sample)
            notes[0] = f"{claimed.name} is tested on {group.name} and {sample.order - group.order} other elements"
    if network is not None and on_points and law == "equivariance" and _is_auto(output_layout):
        setting = setting.fitting(points.output_layouts(network, group.dimension), own)
    own_dtype = twin.compute_dtype(model) if is_keras else None
    measured, unavailable, located, own_rounding = {}, {}, (), 0.0
    in_float64 = own if own_dtype == "float64" and network is not None else None
    if is_keras and "float64" in dtypes and own_dtype != "float64":
        batch, rows = next(batches(arrays, batch_size))
        reference = evaluate(OnArrays(own, inputs), batch, rows)
        try:
            if network is None:
                raise twin.NotClonable(opaque)
            in_float64 = twin.in_float64(network, inputs, batch, reference, setting.sizes)
            own_rounding = rounding(evaluate(OnArrays(in_float64, inputs), batch, rows), reference, setting.sizes)
        except twin.NotClonable as error:
            unavailable["float64"] = str(error)
    if in_float64 is not None:
        measured["float64"] = setting.measure(in_float64)
    if in_float64 is not own and ("float32" in dtypes or not measured):
        parts = setting.measure(own)
        own_dtype = own_dtype or lowest_precision(output.dtype for output in parts[0].outputs)
        measured[own_dtype] = parts
    measured = approximated(measured, setting.elements, tolerances[next(iter(measured))])
    if tolerance is None:
        tolerances = as_rounding_allows(measured, tolerances, own_rounding)
    if in_float64 is not None:
        rounded = _rounded(in_float64 if in_float64 is not own else network, setting, measured["float64"], tolerances)
        if rounded:
            unavailable["float64"], parts = rounded, measured.pop("float64")
            if in_float64 is own:
                measured["float32"] = parts
            elif not measured:
                measured[own_dtype] = setting.measure(own)
    if layers and in_float64 is not None:
        limit = tolerances["float32" if "float64" in unavailable else "float64"]
        located = localize(in_float64 if in_float64 is not own else network, setting, limit)
    if layers and network is not None and not located and own_dtype in measured:
        located = localize(network, setting, tolerances[own_dtype])
    if not is_keras and own_dtype != "float64":
        unavailable["float64"] = f"a function of arrays is measured in its own precision, {own_dtype}"

    if layers and is_keras and not located:
        notes.append("the layers could not be measured one by one")

    kept = [(layer.name, layer.symmetry_kept) for layer in every_layer if hasattr(layer, "symmetry_kept")]
    notes += [f"symmetry kept by the kernels: {', '.join(f'{name} {share(part)}' for name, part in kept)}"] * bool(kept)

    notes += _hidden(measured, tolerances)
    best = in_float64 or own
    outputs = next(iter(measured.values()))[0].outputs
    names = [output.layouts[0] for output in outputs]
    return Report(
        model=str(name or getattr(model, "name", None) or getattr(model, "__name__", type(model).__name__)),
        group=claimed.name,
        law="equivariance" if any(layout.moves for layout in names) else "invariance",
        inputs=_described([x.shape for x in arrays], setting.layouts),
        outputs=_described([output.shape for output in outputs], names),
        angles=sweep(OnArrays(own, inputs), setting, names, angles),
        layers=located,
        notes=tuple(notes),
        grid_group=group.exact_part if on_points else "" if claimed.on_grid is claimed else claimed.on_grid.name,
        continuous=not (on_points or claimed.is_finite),
        lie_derivative=lie_derivative(OnArrays(best, inputs), setting, names) if setting.lie else None,
        **judge(setting.elements, measured, unavailable, tolerances, located, symmetry_problems(network)),
    )


def _hidden(measured, tolerances):
    """A note for each output with channels of which no error shows beside the larger ones."""
    dtype, parts = next(iter(measured.items()))
    for i, output in enumerate(parts[0].outputs):
        if hidden := output.hidden(tolerances[dtype]):
            listed = ", ".join(map(str, hidden[:8])) + (" and others" if len(hidden) > 8 else "")
            yield (
                f"nothing is said of channels {listed} of output {i}: they are so small beside the others that no "
                "error of theirs would show; certify them by themselves, or in units of their size"
            )


def _is_auto(layout):
    return isinstance(layout, str) and layout == AUTO


def _rounded(network, setting, parts, tolerances):
    """Why a network in float64 computes in float32 after all, where its errors are of that size; else empty."""
    worst = worst_error(parts, False) or 0.0
    if not tolerances["float64"] < worst <= tolerances["float32"]:
        return ""
    call = twin.rounding_call(network, setting.inputs, next(batches(setting.arrays, setting.batch_size))[0])
    if twin.rounds_to_float32() and (call is not None or worst > ONCE_ROUNDED):
        return (
            f"Keras rounds some operations to float32 on the {keras.backend.backend()} backend (error "
            f"{number(worst)}); certify on the tensorflow backend"
        )
    if call is None:
        return ""
    name = f'"{call.operation.name}" ({type(call.operation).__name__})'
    return f"{name} computes in float32 whatever its dtype (error {number(worst)})"


def _described(shapes, layouts):
    return tuple(f"{tuple(shape[1:])} {layout}" for shape, layout in zip(shapes, layouts, strict=True))
