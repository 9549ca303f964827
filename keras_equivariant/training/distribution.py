"""Training on many devices, by the engines of TensorFlow and Keras: `tf.distribute` and `keras.distribution`.

Every batch is cut into equal parts, one for each replica of the network; gradients, metrics and the statistics of batch
normalization are those of the whole batch, so the result is that of a single device, but for rounding and for the masks
of Dropout, which each replica draws for its own part.
"""

import contextlib
import functools
import json
import os

import keras
import numpy as np

from keras_equivariant.compiler.grammar.recipe import DISTRIBUTE

BACKENDS = {"mirrored": "tensorflow", "multi_worker": "tensorflow", "data_parallel": "jax"}
REMEDIES = {"tensorflow": '"mirrored" or "multi_worker"', "jax": '"data_parallel"', "torch": '"none"'}
EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


def make_distribution(kind="none"):
    """The `Distribution` of a name: none, mirrored, multi_worker, data_parallel.

    Raises:
        ValueError: An unknown name, a backend that has no such engine, or no TF_CONFIG for `multi_worker`.
    """
    if kind not in DISTRIBUTE:
        raise ValueError(
            f"`distribute` must be one of {', '.join(DISTRIBUTE)}. Received: distribute={kind!r}. Choose one."
        )
    backend = keras.backend.backend()
    if BACKENDS.get(kind, backend) != backend:
        raise ValueError(
            f'distribute="{kind}" is for the {BACKENDS[kind]} backend. Received: the backend {backend}. Use '
            f"distribute={REMEDIES.get(backend, REMEDIES['torch'])}, or set KERAS_BACKEND={BACKENDS[kind]}."
        )
    if kind == "none":
        return Distribution()
    return DataParallel() if kind == "data_parallel" else Strategy(kind)


class Distribution:
    """Where the replicas of a network are; this one has a single replica, on the backend's own device.

    Attributes:
        kind: Its name.
        replicas: How many there are, on all machines.
        is_chief: Whether this process writes files and tests the network.
    """

    kind, replicas, is_chief = "none", 1, True

    def scope(self):
        """The context in which networks are built, compiled and restored."""
        return contextlib.nullcontext()

    def batches(self, make):
        """What `fit` takes; `make(part)` returns the pipeline of a part of each batch, `(first, count, of)`."""
        return make((0, 1, 1))

    def agree(self, model, done):
        """Give all processes the state of the first one, and return its number of epochs `done`."""
        return done

    def divide(self, what, count):
        """`count`, which must be a multiple of the number of replicas."""
        if count % self.replicas:
            below, above = count // self.replicas * self.replicas, -(-count // self.replicas) * self.replicas
            raise ValueError(
                f"Batches and validation sets are cut into equal parts, one a replica. Received: {what}={count} for "
                f"{self.replicas} replicas. Use {f'{below} or ' if below else ''}{above}."
            )
        return count

    @contextlib.contextmanager
    def synchronized(self, model):
        """Within, batch normalizations take their statistics over the replicas."""
        layers = [layer for layer in model._flatten_layers() if hasattr(layer, "synchronized")]
        before = [layer.synchronized for layer in layers]
        for layer in layers:
            layer.synchronized = self._all_reduces(layer.synchronized)
        try:
            yield
        finally:  # a saved model is for one device, on any backend
            for layer, value in zip(layers, before, strict=True):
                layer.synchronized = value

    def _all_reduces(self, asked):
        return asked

    @contextlib.contextmanager
    def working(self):
        """The context of training: a lost worker becomes an error that says what to do."""
        yield


class DataParallel(Distribution):
    """All devices of this machine under JAX, which computes with the whole batch wherever its parts are."""

    kind = "data_parallel"

    def __init__(self):
        self._engine = keras.distribution.DataParallel()
        self.replicas = int(self._engine.device_mesh.devices.size)

    def scope(self):
        return self._engine.scope()

    def working(self):
        return self.scope()

    def _all_reduces(self, asked):
        return False  # its arrays are the whole batch


class Strategy(Distribution):
    """A strategy of tf.distribute: all devices of this machine, or of all machines that TF_CONFIG names."""

    def __init__(self, kind):
        self.kind, self._engine = kind, _strategy(kind)
        if kind == "multi_worker":
            resolver = self._engine.cluster_resolver
            first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
            self.is_chief = (resolver.task_type, resolver.task_id) == (first, 0)
        self.replicas = self._engine.num_replicas_in_sync

    def scope(self):
        return self._engine.scope()

    def batches(self, make):
        def own(context):
            count = self.replicas // context.num_input_pipelines
            return make((context.input_pipeline_id * count, count, self.replicas))

        return self._engine.distribute_datasets_from_function(own)

    def agree(self, model, done):
        if self.kind == "mirrored":
            return done
        model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        arrays = [keras.ops.convert_to_numpy(variable) for variable in variables]
        # float64 holds float32 numbers, counters and seeds alike without rounding.
        state = np.concatenate([[done], *(array.ravel() for array in arrays)], dtype="float64", casting="unsafe")
        state = self._of_first_replica(state)
        ends = np.cumsum([1, *(array.size for array in arrays)])
        for variable, array, start, end in zip(variables, arrays, ends[:-1], ends[1:], strict=True):
            variable.assign(state[start:end].reshape(array.shape).astype(array.dtype))
        return int(state[0])

    def _of_first_replica(self, array):
        import tensorflow as tf

        @tf.function
        def pick(x):
            context = tf.distribute.get_replica_context()
            return context.all_reduce("SUM", x * tf.cast(context.replica_id_in_sync_group == 0, x.dtype))

        found = self._engine.run(pick, args=(tf.constant(array),))
        return self._engine.experimental_local_results(found)[0].numpy()

    def _all_reduces(self, asked):
        return True

    @contextlib.contextmanager
    def working(self):
        from tensorflow import errors

        try:
            with self.scope():
                yield
        except (
            errors.UnavailableError,
            errors.AbortedError,
            errors.CancelledError,
            errors.DeadlineExceededError,
        ) as error:
            if self.kind != "multi_worker":
                raise
            first_line = " ".join(error.message.splitlines()[:1])
            raise ConnectionError(
                f"All workers must live to the end of a run. Received: one was lost ({first_line}). Start the command "
                "on each again, with --resume: it goes on after the last whole epoch."
            ) from error


@functools.cache
def _strategy(kind):
    """One of each kind in a process: a second one on the same devices would number its sums like the first."""
    import tensorflow as tf

    if kind == "mirrored":
        # Between devices that share their memory there is nothing to send.
        operations = None if tf.config.list_logical_devices("GPU") else tf.distribute.ReductionToOneDevice()
        return tf.distribute.MirroredStrategy(cross_device_ops=operations)
    check_cluster()

    class Workers(tf.distribute.MultiWorkerMirroredStrategy):
        """Reduces what Keras's `fit` asks for: a batch `(x, y)`, to see its shapes, and numbers over axis 0."""

        def reduce(self, reduce_op, value, axis=None):
            if isinstance(value, tuple):
                return tuple(self.experimental_local_results(part)[0] for part in value)
            numbers = all(part.shape.rank == 0 for part in self.experimental_local_results(value))
            return super().reduce(reduce_op, value, None if numbers else axis)

    try:
        return Workers()
    except RuntimeError as error:
        raise ValueError(
            "Many workers must be joined before TensorFlow computes anything. "
            f"Received: {error}. Call train first, or use the command line."
        ) from error


def check_cluster():
    """Raise a ValueError unless TF_CONFIG says who the workers are, and which of them this process is."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        task = config["task"]
        jobs, address = config["cluster"], config["cluster"][task["type"]][int(task["index"])]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError(
            'distribute="multi_worker" reads from the environment variable TF_CONFIG who the workers are and which of '
            f"them this process is. Received: TF_CONFIG={text!r} ({type(error).__name__}: {error}). "
            f"Set it on each, such as to {EXAMPLE}."
        ) from error
    if set(jobs) - {"chief", "worker"} or not isinstance(address, str):
        raise ValueError(
            f"The jobs of TF_CONFIG are `chief` and `worker`, lists of host:port. Received: TF_CONFIG={text!r}. Write "
            f"it as in {EXAMPLE}."
        )
