"""tf.data pipelines: fixed batch shapes, an order that depends on the seed and the epoch alone, no autotuner.

The autotuner is off because `fit`, `evaluate` and `predict` otherwise wait for it: their wall time is rounded up to
1.3, 2.6, 5.1, 10.2 s.
"""

import numpy as np

from keras_equivariant.data.shards import Shards


def training_pipeline(images, labels, batch_size, seed=0, augment=None, first_epoch=0, part=(0, 1, 1), block=1):
    """Shuffled, augmented batches `(x, y)` without end; `len(images) // batch_size` of them make an epoch.

    Epoch e is a fresh permutation drawn from (seed, e), so a run that resumes at epoch e sees what an uninterrupted
    one would. Each epoch leaves out the remainder that does not fill a batch, a different one each time: batches keep
    one shape, and compiled operations are compiled once.

    Args:
        images, labels: Arrays `(N, H, W, C)` (or `Shards`, read as they are needed) and `(N,)`, or masks `(N, H, W, 1)`
            that are augmented with their images; images become float32.
        batch_size: At most N.
        augment: An `Augment`, or None.
        first_epoch: The epoch to start from.
        part: `(first, count, of)`: of the `of` equal parts of each batch only `count`, from number `first` on, one
            after the other; each as it is in the whole batch.
        block: Rows that stay together, in their order, when all are shuffled; divides N.

    Returns:
        `(dataset, steps_per_epoch)`.

    Raises:
        ValueError: if `block` does not divide N.
    """
    import tensorflow as tf

    count = len(images)
    if count % block:
        raise ValueError(
            "The number of images to train on must be a multiple of `shuffle_block`. "
            f"Received: {count} images, shuffle_block={block}. Use shuffle_block=1, or fill the blocks."
        )
    batch_size = min(batch_size, count)
    steps = count // batch_size
    first, own, parts = part
    size = batch_size // parts
    # Copied into the runtime once: as tensors captured by the graph they would be embedded in it.
    with tf.device("CPU"):
        images, labels = _readable(images), tf.constant(labels)

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
        batch = _rows(images, rows)
        targets = tf.gather(labels, rows)
        if augment and labels.shape.rank == 4:
            batch, targets = augment(batch, draw, targets, part=place)
        elif augment:
            batch = augment(batch, draw, part=place)
        shapes = ((size, *array.shape[1:]) for array in (images, labels))
        return tuple(tf.ensure_shape(*pair) for pair in zip((batch, targets), shapes, strict=True))

    epochs = tf.data.Dataset.range(first_epoch, 2**31 - 1, output_type=tf.int32)
    dataset = epochs.flat_map(epoch_batches).map(load, num_parallel_calls=2, deterministic=True)
    return _without_autotuner(dataset.prefetch(4)), steps


def evaluation_pipeline(images, labels=None, batch_size=250, fixed=False):
    """Batches in order, `(x, y)` or `x` alone. With `fixed`, zero images fill the last batch up."""
    import tensorflow as tf

    count = len(images)
    batch_size = min(batch_size, count)
    arrays = images if labels is None else (images, labels)
    dataset = tf.data.Dataset.from_tensor_slices(arrays)
    if fixed and count % batch_size:
        filler = tf.zeros((1, *images.shape[1:]), images.dtype)
        dataset = dataset.concatenate(
            tf.data.Dataset.from_tensor_slices(filler).repeat(batch_size - count % batch_size)
        )
    dataset = dataset.batch(batch_size, drop_remainder=fixed)
    cast = (lambda x: tf.cast(x, "float32")) if labels is None else (lambda x, y: (tf.cast(x, "float32"), y))
    return _without_autotuner(dataset.map(cast).prefetch(4))


def evaluation_parts(images, labels, batch_size, part):
    """Of each batch `(x, y)` the equal parts `(first, count, of)`, one after the other, as in `training_pipeline`; each
    image once, in no particular order, and then again, without end. The number of images and `batch_size` are multiples
    of `of`."""
    import tensorflow as tf

    first, own, parts = part
    rows = np.arange(len(images)).reshape(-1, parts)[:, first : first + own]
    dataset = tf.data.Dataset.from_tensor_slices((images[rows], labels[rows])).batch(batch_size // parts)

    def split(*arrays):
        arrays = [tf.transpose(array, (1, 0, *range(2, array.shape.rank))) for array in arrays]
        return tf.data.Dataset.from_tensor_slices((tf.cast(arrays[0], "float32"), arrays[1]))

    return _without_autotuner(dataset.flat_map(split).repeat().prefetch(4))


def reading_pipeline(images, batch_size=250):
    """Images in order, by batches, as float32."""
    import tensorflow as tf

    images, starts = _readable(images), tf.data.Dataset.range(0, len(images), batch_size)
    count = len(images)
    return _without_autotuner(starts.map(lambda i: _rows(images, tf.range(i, tf.minimum(i + batch_size, count)))))


def _readable(images):
    import tensorflow as tf

    return images if isinstance(images, Shards) else tf.constant(images)


def _rows(images, rows):
    """The images of these numbers, as float32."""
    import tensorflow as tf

    if isinstance(images, Shards):
        batch = tf.numpy_function(images.__getitem__, [rows], tf.as_dtype(images.dtype), stateful=False)
        batch = tf.ensure_shape(batch, (None, *images.row_shape))
    else:
        batch = tf.gather(images, rows)
    return tf.cast(batch, "float32")


def _without_autotuner(dataset):
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
