"""After each epoch, besides Keras's own callbacks: a record, and a checkpoint that survives a kill."""

import os
import time

import keras
import numpy as np

from keras_equivariant.utils.arrays import read_arrays
from keras_equivariant.utils.files import replaced


class EpochRecord(keras.callbacks.Callback):
    """Add the learning rate and the seconds of the epoch to the logs; stop where the loss is not finite."""

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"Training needs a finite loss. Received: loss={logs['loss']} in epoch {epoch + 1}. The state before "
                "that epoch is kept; use a smaller learning rate, or no --mixed-precision."
            )
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        logs["learning_rate"] = float(f"{rate:.6g}")  # 0.001, not float32's 0.0010000000474974513
        logs["seconds"] = round(time.perf_counter() - self._start, 3)


class Checkpoint(keras.callbacks.Callback):
    """Save the whole state of training after each epoch, in one file that is replaced in one step.

    Keras's BackupAndRestore writes in place, so a kill while it writes loses the run, and leaves out the state of
    random generators (Dropout). This one holds all variables of the model and of the optimizer, and the epoch.
    """

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        with replaced(self.path) as temporary, open(temporary, "wb") as file:
            np.savez(file, epoch=epoch + 1, **_state(self.model))
            file.flush()
            os.fsync(file.fileno())

    def restore(self, model):
        """Load the state into a compiled model, if there is one, and return the number of epochs done."""
        if not self.path.exists():
            return 0
        model.optimizer.build(model.trainable_variables)
        try:
            state = read_arrays(self.path)
            epoch = int(state.pop("epoch"))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"A checkpoint must be a whole file. Received: {self.path} ({error.__cause__ or error}). Delete it to "
                "start over."
            ) from error
        variables = _variables(model)
        if {key: array.shape for key, array in state.items()} != {k: tuple(v.shape) for k, v in variables.items()}:
            raise ValueError(
                f"A checkpoint must belong to the network that resumes. Received: {self.path} with {len(state)} "
                f"variables for a network of {len(variables)}, or other shapes. Use the version of the software that "
                "wrote it (see config.json), or start a new run."
            )
        for key, variable in variables.items():
            variable.assign(state[key])
        return epoch


def _variables(model):
    groups = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {f"{name}_{i}": variable for name, group in groups.items() for i, variable in enumerate(group)}


def _state(model):
    return {key: keras.ops.convert_to_numpy(variable) for key, variable in _variables(model).items()}
