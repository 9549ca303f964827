"""The input pipeline of backends that are not TensorFlow: `keras.utils.PyDataset`, a few threads, NumPy alone."""

import collections
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from keras_equivariant.data.rows import as_inputs, as_targets, parts_of, rows_of

WORKERS, AHEAD = 2, 6


class Batches(keras.utils.PyDataset):
    """Batches by their number, made by a few threads before they are asked for.

    Each depends on its number alone, so that the order of the threads does not matter, and whoever begins in the middle
    sees what came behind it. Keras's own workers are not used: they begin with the second batch where `fit` looks at
    the first one to build the model.

    Args:
        load: function of a number that gives a batch.
        count: how many there are; None for no end.
    """

    def __init__(self, load, count=None):
        super().__init__()
        self._load, self._count = load, count
        self._threads, self._made = ThreadPoolExecutor(WORKERS), collections.OrderedDict()

    @property
    def num_batches(self):
        return self._count

    def __getitem__(self, number):
        wanted = range(number, number + AHEAD if self._count is None else min(number + AHEAD, self._count))
        for other in [n for n in self._made if n not in wanted]:
            del self._made[other]
        for other in wanted:
            if other not in self._made:
                self._made[other] = self._threads.submit(self._load, other)
        return self._made.pop(number).result()


def training_batches(images, labels, batch_size, seed, move, first_epoch, part, block, weights):
    """`(Batches, steps)` as of `pipeline.training_pipeline`, without end.

    Args:
        move: function of `(x, y, draw, place)`, dicts of arrays, that augments a batch; None for none.
    """
    inputs, targets = parts_of(images), parts_of(labels)
    steps = len(images) // batch_size
    first, own, parts = part
    size = batch_size // parts
    orders = {}

    def order_of(epoch):
        if epoch not in orders:
            blocks = np.random.default_rng([seed % 2**32, epoch]).permutation(len(images) // block)
            rows = (blocks[:, None] * block + np.arange(block)).ravel()[: steps * batch_size]
            orders.clear()  # two epochs are asked for at their border only
            orders[epoch] = rows.reshape(steps, parts, size)[:, first : first + own].reshape(-1, size)
        return orders[epoch]

    def load(number):
        epoch, number = first_epoch + number // (steps * own), number % (steps * own)
        rows = order_of(epoch)[number]
        x, y = rows_of(inputs, rows), {name: array[rows] for name, array in targets.items()}
        if move:
            x, y = move(x, y, (seed + 1, epoch * steps + number // own), ((first + number % own) * size, batch_size))
        batch = as_inputs(x), as_targets(y)
        return batch if weights is None else (*batch, weights[rows])

    return Batches(load), steps


def evaluation_batches(images, labels, orders, count=None):
    """Batches of these rows, `(x, y)`, or `(x,)` without labels.

    Args:
        orders: list of arrays of row numbers, one a batch.
        count: as in `Batches`; None to begin again at the end.
    """
    inputs = parts_of(images)
    targets = None if labels is None else parts_of(labels)

    def load(number):
        rows = orders[number % len(orders)]
        x = as_inputs(rows_of(inputs, rows))
        return (x,) if targets is None else (x, as_targets({name: array[rows] for name, array in targets.items()}))

    return Batches(load, count)
