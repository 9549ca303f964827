"""Representative data in the forms that users have them, as arrays whose numbers can set the ranges of integers."""

import itertools

import keras
import numpy as np

from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import walk
from keras_equivariant.graphs.symmetry import group_of, input_types, kept_by, output_layouts
from keras_equivariant.graphs.weights import scale_and_offset
from keras_equivariant.groups.layouts import Image, act

MOST_SAMPLES = 1000
_BATCH = 32
LARGEST = 1e37  # of a number, so that a range of them is finite in float32
SMALLEST_DEVIATION = 0.02  # of images in the range of 0 to 1 or more; a network sees them as one shade


def arrays(data, graph):
    """The samples as arrays in the structure of the model's inputs.

    Args:
        data: arrays with the samples on axis 0; or a `tf.data.Dataset` or generator of batches or single samples, or a
            function that returns one, as `tf.lite.TFLiteConverter` takes it. Of pairs (inputs, targets) and of triples
            with weights the inputs are taken, of more than 1000 samples the first.
        graph: the model.
    """
    streams = hasattr(data, "element_spec") or hasattr(data, "__next__")
    if not callable(data) and not streams:
        return keras.tree.map_structure(_numpy, data)
    ranks = [len(tensor.shape) for tensor in graph.inputs]
    samples, seen = [], 0
    for element in itertools.islice(data if streams else data(), MOST_SAMPLES):
        flat = [_numpy(x) for x in keras.tree.flatten(_inputs_of(element, len(ranks)))]
        if len(flat) != len(ranks):
            raise ValueError(
                f"An element of `representative_data` must hold the model's {len(ranks)} inputs. Received: one of "
                f"{len(flat)} arrays"
            )
        samples.append([x[None] if x.ndim == rank - 1 else x for x, rank in zip(flat, ranks, strict=True)])
        seen += len(samples[-1][0])
        if seen >= MOST_SAMPLES:
            break
    if not samples:
        raise ValueError("`representative_data` must hold samples of the model's inputs. Received: none")
    joined = [np.concatenate(parts)[:MOST_SAMPLES] for parts in zip(*samples, strict=True)]
    return keras.tree.pack_sequence_as(graph.input, joined)


def on_orbits(graph, data):
    """The data with their moved copies, where outputs change their signs as vectors do: then x and -x have one range.

    As many samples have copies as there is room for; the others, and all for other outputs, stay alone.
    """
    if all(layout is None or layout.permutes for layout in output_layouts(graph)) or any(input_types(graph)):
        return data
    try:
        group = group_of(graph)
    except ValueError:
        return data
    flat = [np.asarray(x) for x in keras.tree.flatten(data)]
    images = [x.ndim == group.dimension + 2 for x in flat]
    sizes = next((x.shape[1:-1] for x, image in zip(flat, images, strict=True) if image), None)
    if sizes is None:
        return data
    group = kept_by(group, sizes).finite
    elements = [g for g in group.grid_elements if g]
    most = max(len(flat[0]), MOST_SAMPLES) - len(flat[0])
    count = min(len(flat[0]), most // max(len(elements), 1))

    def orbits(x, image):
        copies = [act(x[:count], group, g, Image()) if image else x[:count] for g in elements]
        return np.concatenate([x, *copies])

    return keras.tree.pack_sequence_as(data, [orbits(x, image) for x, image in zip(flat, images, strict=True)])


def check_finite(graph, data):
    """ValueError for data with an infinity or what is no number, on which a converter ends the process."""
    for tensor, x in zip(graph.inputs, keras.tree.flatten(data), strict=True):
        x = np.asarray(x)
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            bad = int((~np.isfinite(x)).sum())
            raise ValueError(
                f"`representative_data` must be finite. Received: {bad} of {x.size} numbers of the input "
                f'"{tensor.name}" are infinite or not a number; leave those samples out'
            )


def check_answers(graph, data):
    """ValueError where a layer answers to the data with numbers near infinity, on which a converter ends the process.

    Args:
        graph: the folded model.
        data: arrays in the structure of its inputs.
    """
    made = [(call, tensor) for call in calls(graph) for tensor in call.outputs]
    made = [(call, tensor) for call, tensor in made if keras.backend.is_float_dtype(tensor.dtype)]
    probe = keras.Model(graph.inputs, [tensor for _, tensor in made])
    flat = [np.asarray(x) for x in keras.tree.flatten(data)]
    for start in range(0, len(flat[0]), _BATCH):
        answers = probe([x[start : start + _BATCH] for x in flat], training=False)
        for (call, _), answer in zip(made, answers, strict=True):
            answer = keras.ops.convert_to_numpy(answer)
            if not (np.abs(answer) < LARGEST).all():
                raise ValueError(
                    "The layers must answer to `representative_data` with finite numbers, whose ranges are those of "
                    f'the integers. Received: {np.abs(answer).max():.0e} from the layer "{call.operation.name}"; train '
                    "the model on, normalize before that layer, or leave out samples that are far off"
                )


def check_ranges(graph, data):
    """ValueError for data that would set ranges of integers in which nothing can be told apart.

    That are constant data, and data that the model's own Normalization or Rescaling leaves next to constant or far off.
    """
    for tensor, x in zip(graph.inputs, keras.tree.flatten(data), strict=True):
        x = np.asarray(x)
        if x.size > 1 and x.dtype.kind in "fiu" and x.min() == x.max():
            raise ValueError(
                "`representative_data` must vary as the data that the model will see do, for they set the ranges of "
                f'its integers. Received: only the number {x.flat[0]:g} for the input "{tensor.name}"; pass about a '
                "hundred real inputs, such as x_train[:100]"
            )
    first = first_scaling(graph)
    if first is None:
        return
    scale, offset = scale_and_offset(first)
    scaled = np.asarray(keras.tree.flatten(data)[0], "float64") * scale + offset
    mean, deviation = scaled.mean(), scaled.std()
    normalizes = isinstance(first, keras.layers.Normalization)
    if deviation < SMALLEST_DEVIATION or (normalizes and max(abs(mean), deviation) > 1 / SMALLEST_DEVIATION):
        raise ValueError(
            "`representative_data` must be of the scale that the model expects, for they set the ranges of its "
            f'integers. Received: data that its layer "{first.name}" gives a mean of {mean:.2g} and a deviation of '
            f"{deviation:.2g}; pass data as they were in training, such as x_train[:100]"
        )


def first_scaling(graph):
    """The Normalization or Rescaling that a model of one input starts with, or None."""
    inside = (layer for layer in walk(graph) if not isinstance(layer, (keras.Model, keras.layers.InputLayer)))
    first = next(inside, None)
    return first if len(graph.inputs) == 1 and scale_and_offset(first) is not None else None


def _numpy(x):
    return keras.ops.convert_to_numpy(x) if hasattr(x, "numpy") else np.asarray(x)


def _inputs_of(element, inputs):
    """The inputs of an element that may hold targets and weights as well."""
    if isinstance(element, tuple) and len(element) in (2, 3) and len(keras.tree.flatten(element[0])) == inputs:
        return element[0]
    return element
