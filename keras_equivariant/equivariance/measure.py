"""The measurement itself: f(g x) against g f(x), in NumPy, batch by batch.

The function gets arrays and whatever it returns is turned into arrays; all sums are taken in float64 (complex128 for
complex outputs). Only one batch of outputs and its transformed twin are held at a time.
"""

import dataclasses
import functools

import keras
import numpy as np

from keras_equivariant.equivariance.layouts import windowed
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import as_functional, is_plain
from keras_equivariant.groups import ElementSample
from keras_equivariant.groups.layouts import Invariant
from keras_equivariant.stock.traits import infers_examples_alone

# With a larger error a layout does not fit at all.
LARGEST_FIT = 0.1


@dataclasses.dataclass
class Measurement:
    """Sums of squares over all samples for one output: a column per element, a row per candidate layout."""

    shape: tuple  # of one batch, the batch axis first
    dtype: str
    layouts: list
    law: np.ndarray  # |f(gx) - g f(x)|^2
    control: np.ndarray  # |f(gx) - f(x)|^2, a single row: g not applied to the output
    norm: float = 0.0  # |f(x)|^2, or that of the features of which f(x) is a mean
    entries: int = 0  # numbers in f(x)
    change: float = 0.0  # |f(x') - f(x)|^2 for a distorted input x'
    finite: bool = True
    channels: np.ndarray | float = 0.0  # |f(x)|^2 of each entry of the last axis

    @property
    def errors(self):
        """Relative L2 errors, `(layouts, elements)`; nan where f(x) = 0 or is not finite."""
        return relative(self.law, self.norm)

    def of(self, columns):
        """The same of some of the elements."""
        return dataclasses.replace(self, law=self.law[:, columns], control=self.control[columns])

    @property
    def relative_control(self):
        """Relative L2 errors, one per element, if g were not applied to the output."""
        return relative(self.control, self.norm)

    @property
    def response(self):
        """Relative change of the output when the input is distorted."""
        return float(relative(self.change, self.norm))

    def hidden(self, tolerance):
        """Which channels are so small beside the output that with none of them right its error would be within the
        tolerance; those that are zero have no law to break."""
        shares = relative(self.channels, self.norm)
        return np.flatnonzero((shares > 0) & (2 * shares <= tolerance)).tolist()

    @property
    def best(self):
        """The row of the layout with the smallest worst error; None without a layout."""
        if not self.layouts:
            return None
        return int(np.argmin(np.nan_to_num(self.errors.max(axis=1), nan=np.inf)))

    @property
    def likeliest(self):
        """The first row that fits as well as the best one, but for rounding; the first of all if none fits."""
        worst = np.nan_to_num(self.errors.max(axis=1), nan=np.inf)
        return int(np.argmax(worst <= 10 * worst.min())) if worst.min() < LARGEST_FIT else 0


@dataclasses.dataclass
class Part:
    """What was measured over some of the elements."""

    elements: list
    interpolated: bool
    outputs: list  # a Measurement per output
    moves: np.ndarray  # |gx - x| / |x| per element

    def of(self, elements, interpolated):
        """What was measured over some of these elements."""
        columns = [i for i, element in enumerate(self.elements) if element in elements]
        chosen = [self.elements[i] for i in columns]
        return Part(chosen, interpolated, [output.of(columns) for output in self.outputs], self.moves[columns])


def measure(fn, group, inputs, elements, input_layouts, output_layouts, batch_size, sizes=None, counting=None):
    """Compares f(g x) with g f(x) for every element g, exact and interpolated ones apart.

    Where no input and no output lies on pixels, all elements are exact. For the interpolated ones the inputs are taken
    on a disc, so that nothing rotates out of the grid, and the outputs are compared on it.

    Args:
        fn: from a list of arrays to a list of arrays.
        group: FiniteGroup.
        inputs: list of arrays, the samples on axis 0.
        elements: indices of group elements.
        input_layouts: a layout per input.
        output_layouts: from the list of output shapes to a list of candidate layouts per output.
        batch_size: the most samples in one call.
        sizes: for each output the least root mean square that errors are relative to; by default only its own.
        counting: function of the batch, an output and its layout that gives the output with zeros where it does not
            count; by default all counts.

    Returns:
        One or two Parts.
    """
    counting = counting or (lambda batch, y, layout: y)
    known = inputs, input_layouts, output_layouts, batch_size
    on_pixels = not set(elements) <= set(group.grid_elements) and not everywhere(_is_off_pixels, fn, *known)
    can_be_exact = set(group.exact_elements(on_pixels))
    exact = [e for e in elements if e in can_be_exact]
    others = [e for e in elements if e not in can_be_exact]
    parts = []
    if exact:
        parts.append(
            Part(
                exact,
                False,
                *_sums(fn, group, inputs, exact, input_layouts, output_layouts, batch_size, counting, sizes),
            )
        )
    if others:

        def window(batch, y, layout):
            return windowed(counting(batch, y, layout), layout)

        disc = [windowed(x, layout) for x, layout in zip(inputs, input_layouts, strict=True)]
        parts.append(
            Part(
                others, True, *_sums(fn, group, disc, others, input_layouts, output_layouts, batch_size, window, sizes)
            )
        )
    return parts


def _is_off_pixels(layout, shape):
    return not layout.on_pixels(shape)


def everywhere(holds, fn, inputs, input_layouts, output_layouts, batch_size):
    """Whether `holds(layout, shape)` for all inputs and, in each layout that they may have, all outputs of `fn`."""
    if not all(holds(layout, x.shape) for layout, x in zip(input_layouts, inputs, strict=True)):
        return False
    batch, rows = next(batches(inputs, batch_size))
    shapes = [y.shape for y in evaluate(fn, batch, rows)]
    found = zip(shapes, output_layouts(shapes), strict=True)
    return all(holds(layout, shape) for shape, some in found for layout in some)


def tested_on(group, finite, seed, fn, inputs, input_layouts, output_layouts, batch_size):
    """The elements that stand for a group: where nothing lies on pixels and any matrix acts, of a continuous one random
    ones beside those of the finite group, with which a function may commute that commutes with no others."""
    if group.is_finite or not group.orthogonal:
        return finite
    free = everywhere(_moves_freely, fn, inputs, input_layouts, output_layouts, batch_size)
    return ElementSample(group, seed=seed) if free else finite


def _moves_freely(layout, shape):
    return layout.any_element and not layout.on_pixels(shape)


def fitting(found, measured):
    """Of the layouts that each output may have the first under which the law fits as well as under any.

    Args:
        found: for each output a list of layouts.
        measured: function of such a list that gives Parts.
    """
    if all(len(some) == 1 for some in found):
        return [some[0] for some in found]
    return [some[output.likeliest] for some, output in zip(found, measured(found)[0].outputs, strict=True)]


def _sums(fn, group, inputs, elements, input_layouts, output_layouts, batch_size, window, sizes):
    found, moves, total = None, np.zeros(len(elements)), 0.0
    moving = [layout.moves for layout in input_layouts]
    for batch, rows in batches(inputs, batch_size):
        reference = evaluate(fn, batch, rows)
        seen = functools.partial(window, batch)
        if found is None:
            layouts = output_layouts([y.shape for y in reference])
            found = [_empty(y, names, len(elements)) for y, names in zip(reference, layouts, strict=True)]
        for output, y in zip(found, reference, strict=True):
            counted = seen(y, output.layouts[0] if output.layouts else Invariant())
            output.norm += square(counted)
            output.channels = output.channels + _squares(counted)
            output.entries += y.size
            output.finite &= bool(np.isfinite(y).all())
        total += sum(square(x[:rows]) for x, moves_it in zip(batch, moving, strict=True) if moves_it)
        all_moved = (
            [layout.act(_unrounded(x, layout), group, element) for x, layout in zip(batch, input_layouts, strict=True)]
            for element in elements
        )
        for column, (moved, images) in enumerate(evaluate_each(fn, all_moved, rows, batch_size)):
            element = elements[column]
            moves[column] += sum(distance(a[:rows], b[:rows]) for a, b in zip(moved, batch, strict=True))
            for output, y, image in zip(found, reference, images, strict=True):
                likeliest = output.layouts[0] if output.layouts else Invariant()
                output.control[column] += distance(seen(image, likeliest), seen(y, likeliest))
                for row, layout in enumerate(output.layouts):
                    expected = layout.act(y, group, element)
                    output.law[row, column] += distance(seen(image, layout), seen(expected, layout))
        distorted = [_distorted(x) if moves_it else x for x, moves_it in zip(batch, moving, strict=True)]
        for output, y, image in zip(found, reference, evaluate(fn, distorted, rows), strict=True):
            output.change += distance(image, y)
    for output, size in zip(found, sizes or [0.0] * len(found), strict=True):
        output.norm = max(output.norm, size**2 * output.entries)
    return found, relative(moves, total)


def _unrounded(x, layout):
    """What is multiplied by a matrix in float64: rounding the moved numbers would be an error of the test."""
    return x if layout.permutes or x.dtype.kind != "f" else x.astype("float64")


def batches(inputs, size):
    """Batches of one fixed size, the last one filled up with its last sample, and how many samples of each count.

    One shape throughout, so that compiled functions do not compile again.
    """
    samples = len(inputs[0])
    size = min(size, samples)
    for start in range(0, samples, size):
        batch = [x[start : start + size] for x in inputs]
        rows = len(batch[0])
        if rows < size:
            batch = [np.concatenate([x, np.repeat(x[-1:], size - rows, axis=0)]) for x in batch]
        yield batch, rows


def evaluate(fn, batch, rows):
    """The function's outputs, cut to the samples that count."""
    outputs = fn(batch)
    if not outputs:
        raise ValueError("The function must return an output, an array or a structure of them. Received: none")
    for y in outputs:
        if y.ndim == 0 or len(y) != len(batch[0]):
            raise ValueError(
                "The function must return one output per sample, on axis 0. "
                f"Received: an output of shape {y.shape} for {len(batch[0])} samples"
            )
    return [y[:rows] for y in outputs]


def evaluate_each(fn, batches, rows, batch_size):
    """Each of several batches and the function's outputs for it, as many in one call as `batch_size` allows.

    Those of one shape are put together, if `fn` is known to treat every example alone.
    """
    held = []
    for batch in batches:
        shapes = [x.shape for x in batch]
        together = batch_size // max(len(batch[0]), 1) if getattr(fn, "examples_alone", False) else 1
        if held and (len(held) >= together or shapes != [x.shape for x in held[0]]):
            yield from _together(fn, held, rows)
            held = []
        held.append(batch)
    if held:
        yield from _together(fn, held, rows)


def _together(fn, held, rows):
    if len(held) == 1:
        yield held[0], evaluate(fn, held[0], rows)
        return
    size = len(held[0][0])
    outputs = evaluate(fn, [np.concatenate(arrays) for arrays in zip(*held, strict=True)], size * len(held))
    for start, batch in enumerate(held):
        yield batch, [y[start * size : start * size + rows] for y in outputs]


@dataclasses.dataclass
class OnArrays:
    """A function from a flat list of arrays to a flat list of arrays; Keras layers and models run in inference.

    Attributes:
        fn: a function, layer or model.
        structure: how it takes the arrays.
    """

    fn: object
    structure: object

    @functools.cached_property
    def examples_alone(self):
        """Whether it is known to take any number of examples, and to treat each by itself."""
        if not isinstance(self.fn, keras.Layer) or keras.backend.backend() == "jax":
            return False  # JAX compiles for each number
        return _infers_examples_alone(self.fn)

    def __call__(self, arrays):
        given = keras.tree.pack_sequence_as(self.structure, arrays)
        if isinstance(self.fn, keras.Model) and keras.backend.backend() == "jax":
            outputs = self.fn.predict_on_batch(given)  # compiled once; else every operation would be by itself
        elif isinstance(self.fn, keras.Layer):
            outputs = self.fn(given, training=False)
        else:
            outputs = self.fn(given)
        return [as_array(y) for y in keras.tree.flatten(outputs)]


def _infers_examples_alone(operation):
    if not is_plain(operation):
        inside = (
            operation._flatten_layers(include_self=False, recursive=False) if isinstance(operation, keras.Layer) else ()
        )
        return infers_examples_alone(operation) and all(map(_infers_examples_alone, inside))
    try:
        graph = as_functional(operation, opened=False)
    except ValueError:  # a sequential model that is not built
        return False
    free = all(tensor.shape[0] is None for tensor in graph.inputs)
    return free and all(_infers_examples_alone(call.operation) for call in calls(graph))


def as_array(y):
    """A tensor of any backend, an array or a number as an array."""
    return keras.ops.convert_to_numpy(y) if keras.ops.is_tensor(y) else np.asarray(y)


def relative(square_error, square_norm):
    """sqrt(square_error / square_norm), nan for 0/0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.divide(square_error, square_norm))


def rounding(exact, rounded, sizes=None):
    """The largest relative L2 difference of outputs in a lower precision from those in float64.

    Args:
        exact: list of arrays.
        rounded: the same in the lower precision.
        sizes: for each output the least root mean square that errors are relative to; by default only its own.
    """
    differences = [
        relative(distance(y, z), max(square(y), size**2 * y.size))
        for y, z, size in zip(exact, rounded, sizes or [0.0] * len(exact), strict=True)
    ]
    return float(np.nan_to_num(np.max(differences, initial=0.0)))


def square(x):
    """|x|^2, summed in float64."""
    return float(np.sum(np.abs(_wide(x)) ** 2))


def _squares(x):
    """|x|^2 of each entry of the last axis, one of all where there is none but that of the samples."""
    wide = np.abs(_wide(x)) ** 2
    return wide.reshape(-1, wide.shape[-1] if wide.ndim > 1 else 1).sum(axis=0)


def distance(a, b):
    """|a - b|^2; infinite where the shapes differ."""
    with np.errstate(invalid="ignore"):  # inf - inf
        return square(_wide(a) - _wide(b)) if a.shape == b.shape else np.inf


def _wide(x):
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64, copy=False)


def _distorted(x):
    noise = np.random.default_rng(0).uniform(0.5, 1.5, x.shape[1:])
    return (x * noise).astype(x.dtype)


def _empty(y, layouts, elements):
    return Measurement(y.shape, y.dtype.name, list(layouts), np.zeros((len(layouts), elements)), np.zeros(elements))
