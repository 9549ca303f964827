"""What exported files are worth: their score on test rows in their own runtime, and how long one example takes."""

import statistics
import time

import keras
import numpy as np

from keras_equivariant.data import Rows
from keras_equivariant.export import exporter
from keras_equivariant.export.formats import registry
from keras_equivariant.export.source import Source

TESTED_ROWS, WARM, TIMED = 500, 3, 20


class Served:
    """An exported file as something that predicts, as a Keras model does.

    Args:
        run: the file in its runtime, a function from a dict of arrays to a dict of arrays.
        source: `Source` of the folded model that was exported, for names and structure.
    """

    def __init__(self, run, source):
        self._run, self._source = run, source

    def predict(self, batches, verbose=0):
        """The outputs for all batches, each of an array, or `(x,)` of a tuple of them."""
        found = [self(batch[0] if isinstance(batch, tuple) and len(batch) == 1 else batch) for batch in batches]
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *found)

    def __call__(self, inputs):
        found = self._run(self._source.named(keras.tree.flatten(inputs)))
        outputs = [found[name] for name in self._source.output_names]
        return keras.tree.pack_sequence_as(self._source.model.output, outputs)


def served_scores(exported, model, dataset, task, preprocess=None, seed=0):
    """A dict for each exported file: `format`, `path`, `bytes`, `latency_ms`, and the task's score, if it has one.

    latency_ms is the median over a few runs with one example, in this process on this machine.

    Args:
        exported: `ExportReport`.
        model: the Keras model that was exported.
        dataset: `Dataset`, of whose test rows at most 500 are drawn with the seed.
        task: its `Task`.
        preprocess: a fitted `Preprocess`.
    """
    x, y = dataset.sample("test", TESTED_ROWS, seed)
    one = task.certified(model, preprocess(x[:1]) if preprocess else x[:1])
    served = exporter.folded(model, exported.model)
    source = Source(served, exported.model, one if isinstance(one, list) else [one], None, "float32", None, 1)
    found = []
    for artifact in exported.artifacts:
        file = Served(registry.get(artifact.format).load(exported.path(artifact.format), source), source)
        row = {"format": artifact.format, "path": artifact.path, "bytes": artifact.size}
        row["latency_ms"] = round(1e3 * _seconds(lambda file=file: file(one)), 4)
        if not isinstance(x, Rows):  # of points more is asked than a file answers, such as forces
            score = task.scale * task.scores(file, x, y, preprocess)[task.score]
            row[f"{task.score}{task.suffix}"] = float(f"{score:.6g}")
        found.append(row)
    return found


def _seconds(call):
    for _ in range(WARM):
        call()
    times = []
    for _ in range(TIMED):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
