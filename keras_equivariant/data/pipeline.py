"""Input pipelines: fixed batch shapes, an order that depends on the seed and the epoch alone.

With TensorFlow they are tf.data's; with JAX and torch they are `Batches`, so that no second framework shares the
device. tf.data's autotuner is off because `fit`, `evaluate` and `predict` otherwise wait for it: their wall time is
rounded up to 1.3, 2.6, 5.1, 10.2 s.
"""

import functools

import numpy as np

from keras_equivariant.data.motion import check_axis
from keras_equivariant.data.point_augment import MOVING, augment_points
from keras_equivariant.data.rows import Rows, as_inputs, as_targets, parts_of, rows_of
from keras_equivariant.data.stored import Stored
from keras_equivariant.utils.periodic import space_of


def training_pipeline(
    images,
    labels,
    batch_size,
    seed=0,
    augment=None,
    first_epoch=0,
    part=(0, 1, 1),
    block=1,
    target_type="",
    weights=None,
):
    """Shuffled, augmented batches `(x, y)` without end; `len(images) // batch_size` of them make an epoch.

    Epoch e is a fresh permutation drawn from (seed, e), so a run that resumes at epoch e sees what an uninterrupted
    one would. Each epoch leaves out the remainder that does not fill a batch, a different one each time: batches keep
    one shape, and compiled operations are compiled once.

    Args:
        images, labels: Arrays `(N, H, W, C)` (or `Stored`, read as they are needed) and `(N,)`, or masks `(N, H, W, 1)`
            that are augmented with their images; or `Rows`, then x is a tuple of their arrays, y a dict; images become
            float32.
        batch_size: At most N.
        augment: An `Augment`, or None.
        first_epoch: The epoch to start from.
        part: `(first, count, of)`: of the `of` equal parts of each batch only `count`, from number `first` on, one
            after the other; each as it is in the whole batch.
        block: Rows that stay together, in their order, when all are shuffled; divides N.
        target_type: How vectors rotate with their image, such as "1x1"; empty for what stays as it is.
        weights: Sample weights `(N,)`, or None; with them batches are `(x, y, weights)`.

    Returns:
        `(dataset, steps_per_epoch)`; the dataset is a `tf.data.Dataset`, on other backends a `keras.utils.PyDataset`.

    Raises:
        ValueError: if `block` does not divide N.
    """
    check_pipeline(images, augment, block)
    count, move = len(images), None
    batch_size = min(batch_size, count)
    if augment:
        move = functools.partial(_moved, augment, isinstance(images, Rows), target_type)
    if not _on_tensorflow():
        from keras_equivariant.data.batches import training_batches

        return training_batches(images, labels, batch_size, seed, move, first_epoch, part, block, weights)
    import tensorflow as tf

    steps = count // batch_size
    first, own, parts = part
    size = batch_size // parts
    # Copied into the runtime once: as tensors captured by the graph they would be embedded in it.
    with tf.device("CPU"):
        inputs = {name: _readable(array) for name, array in parts_of(images).items()}
        targets = {name: tf.constant(array) for name, array in parts_of(labels).items()}
        weights = None if weights is None else tf.constant(weights, "float32")

    def epoch_batches(epoch):
        blocks = tf.random.experimental.stateless_shuffle(tf.range(count // block), seed=tf.stack([seed, epoch]))
        order = tf.reshape(blocks[:, None] * block + tf.range(block), [-1])
        order = tf.reshape(order[: steps * batch_size], (steps, parts, size))[:, first : first + own]
        numbers = tf.data.Dataset.range(steps * own, output_type=tf.int32)
        return tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(tf.reshape(order, (-1, size))), numbers).map(
            lambda rows, number: (rows, tf.stack([seed + 1, epoch * steps + number // own]), number % own)
        )

    def load(rows, draw, number):
        place = ((first + number) * size, batch_size)
        x = {name: _rows(array, rows) for name, array in inputs.items()}
        y = {name: tf.gather(array, rows) for name, array in targets.items()}
        if move:
            x, y = _in_numpy(move, x, y, draw, place)
        x = {name: tf.ensure_shape(array, (size, *inputs[name].shape[1:])) for name, array in x.items()}
        y = {name: tf.ensure_shape(array, (size, *targets[name].shape[1:])) for name, array in y.items()}
        batch = as_inputs(x), as_targets(y)
        return batch if weights is None else (*batch, tf.gather(weights, rows))

    epochs = tf.data.Dataset.range(first_epoch, 2**31 - 1, output_type=tf.int32)
    dataset = epochs.flat_map(epoch_batches).map(load, num_parallel_calls=2, deterministic=True)
    return _without_autotuner(dataset.prefetch(4)), steps


def _on_tensorflow():
    import keras

    return keras.backend.backend() == "tensorflow"


def check_pipeline(images, augment=None, block=1, sizes=None):
    """ValueError where `training_pipeline` cannot shuffle or augment such images or points.

    Args:
        sizes: what they are preprocessed to along each axis. Default: None, as they are.
    """
    if len(images) % block:
        raise ValueError(
            "The number of images to train on must be a multiple of `shuffle_block`. "
            f"Received: {len(images)} images, shuffle_block={block}. Use shuffle_block=1, or fill the blocks."
        )
    if not augment:
        return
    if not isinstance(images, Rows):
        augment.check_sides(sizes or images.shape[1:-1])
        return
    for name, array in parts_of(images).items():
        if name in MOVING:
            check_axis(augment.axis, space_of(array.shape[-1]))


def _moved(augment, points, target_type, x, y, draw, place):
    """Dicts of arrays, augmented by the random numbers of `draw`; `place` as `part` of `Augment`."""
    if points:
        return augment_points(x, y, draw, augment.rotate, bool(augment.flip), place, augment.axis)
    images, targets = augment.with_targets(x["x"], y["x"], draw, place, target_type)
    return {"x": images}, {"x": targets}


def _in_numpy(move, x, y, draw, place):
    """`move` of tensors."""
    import tensorflow as tf

    names, tensors = (list(x), list(y)), [*x.values(), *y.values()]

    def moved(draw, first, of, *arrays):
        inputs, targets = arrays[: len(x)], arrays[len(x) :]
        parts = (dict(zip(n, a, strict=True)) for n, a in zip(names, (inputs, targets), strict=True))
        return [array for part in move(*parts, draw, (first, of)) for array in part.values()]

    found = tf.numpy_function(moved, [draw, *place, *tensors], [tensor.dtype for tensor in tensors], stateful=False)
    return dict(zip(x, found[: len(x)], strict=True)), dict(zip(y, found[len(x) :], strict=True))


def evaluation_pipeline(images, labels=None, batch_size=250, fixed=False):
    """Batches in order, `(x, y)` or `x` alone. With `fixed`, the first rows again fill the last batch up."""
    count = len(images)
    batch_size = min(batch_size, count)
    rows = np.arange(-(-count // batch_size) * batch_size if fixed else count) % count
    if not _on_tensorflow():
        from keras_equivariant.data.batches import evaluation_batches

        orders = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        return evaluation_batches(images, labels, orders, len(orders))
    import tensorflow as tf

    inputs = {name: _readable(array) for name, array in parts_of(images).items()}
    targets = None if labels is None else {name: tf.constant(array) for name, array in parts_of(labels).items()}

    def load(numbers):
        x = as_inputs({name: _rows(array, numbers) for name, array in inputs.items()})
        if targets is None:
            return (x,) if isinstance(x, tuple) else x
        y = {name: tf.gather(array, numbers) for name, array in targets.items()}
        return x, as_targets(y)

    dataset = tf.data.Dataset.from_tensor_slices(rows).batch(batch_size, drop_remainder=fixed).map(load)
    return _without_autotuner(dataset.prefetch(4))


def evaluation_parts(images, labels, batch_size, part):
    """Of each batch `(x, y)` the equal parts `(first, count, of)`, one after the other, as in `training_pipeline`; each
    image once, in no particular order, and then again, without end. The number of images and `batch_size` are multiples
    of `of`."""
    first, own, parts = part
    rows = np.arange(len(images)).reshape(-1, parts)[:, first : first + own]
    size = batch_size // parts
    if not _on_tensorflow():
        from keras_equivariant.data.batches import evaluation_batches

        starts = range(0, len(rows), size)
        orders = [rows[start : start + size, i] for start in starts for i in range(own)]
        return evaluation_batches(images, labels, orders)
    import tensorflow as tf

    inputs = {name: _readable(array) for name, array in parts_of(images).items()}
    targets = {name: tf.constant(array) for name, array in parts_of(labels).items()}
    dataset = tf.data.Dataset.from_tensor_slices(rows).batch(size)

    def split(numbers):
        return tf.data.Dataset.from_tensor_slices(tf.transpose(numbers)).map(load)

    def load(numbers):
        x = as_inputs({name: _rows(array, numbers) for name, array in inputs.items()})
        y = {name: tf.gather(array, numbers) for name, array in targets.items()}
        return x, as_targets(y)

    return _without_autotuner(dataset.flat_map(split).repeat().prefetch(4))


def reading_pipeline(images, batch_size=250):
    """Images in order, by batches, as float32."""
    count = len(images)
    if not _on_tensorflow():
        starts = range(0, count, batch_size)
        return (rows_of({"x": images}, np.arange(i, min(i + batch_size, count)))["x"] for i in starts)
    import tensorflow as tf

    images, starts = _readable(images), tf.data.Dataset.range(0, count, batch_size)
    return _without_autotuner(starts.map(lambda i: _rows(images, tf.range(i, tf.minimum(i + batch_size, count)))))


def _readable(images):
    import tensorflow as tf

    return images if isinstance(images, Stored) else tf.constant(images)


def _rows(images, rows):
    """The images of these numbers, as float32; what is true or false stays so."""
    import tensorflow as tf

    if isinstance(images, Stored):
        batch = tf.numpy_function(images.__getitem__, [rows], tf.as_dtype(images.dtype), stateful=False)
        batch = tf.ensure_shape(batch, (None, *images.row_shape))
    else:
        batch = tf.gather(images, rows)
    return batch if batch.dtype == tf.bool else tf.cast(batch, "float32")


def _without_autotuner(dataset):
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
