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
                f"Training needs a finite loss. Received: loss={logs['loss']} in epoch {epoch + 1}. Train with a "
                "smaller learning rate, or no --mixed-precision"
                + ("." if epoch == 0 else "; this folder keeps the state before that epoch, name another: --run-dir.")
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
        write_arrays(self.path, epoch=epoch + 1, **_state(self.model))

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


class Best(keras.callbacks.Callback):
    """Keep the weights of the epoch with the smallest loss on the validation part, in one file; stop where it stays.

    Args:
        path: File of the weights, with the loss and the epoch.
        patience: Epochs without a smaller loss after which the training stops; None for never.
    """

    def __init__(self, path, patience=None):
        super().__init__()
        self.path, self.patience = path, patience

    @classmethod
    def of(cls, recipe, dataset, path):
        """That which a recipe asks for, or None.

        Raises:
            ValueError: the data set has no validation part.
        """
        if not (recipe.early_stopping or recipe.keep_best):
            return None
        if dataset.x_val is None:
            raise ValueError(
                "The best epoch is that with the smallest loss on a validation part. Received: early_stopping="
                f"{recipe.early_stopping}, keep_best={recipe.keep_best} without one. Use --validation 0.2."
            )
        return cls(path, recipe.early_stopping)

    def _found(self):
        """`(epoch, loss)` of the best epoch so far; (-1, inf) before the first."""
        if not self.path.exists():
            return -1, np.inf
        state = read_arrays(self.path, ("epoch", "loss"))
        return int(state["epoch"]), float(state["loss"])

    def on_epoch_end(self, epoch, logs=None):
        best, loss = self._found()
        if logs["val_loss"] < loss or best >= epoch:  # a resumed run does an epoch again
            write_arrays(self.path, epoch=epoch, loss=logs["val_loss"], **_weights(self.model))
            best = epoch
        if self.patience and epoch - best >= self.patience:
            self.model.stop_training = True

    def has_stopped(self, done):
        """Whether a run of so many epochs has stopped early."""
        best, _ = self._found()
        return bool(self.patience and best >= 0 and done - 1 - best >= self.patience)

    def restore(self, model):
        """Give the model the weights of the best epoch."""
        if self.path.exists():
            state = read_arrays(self.path)
            for i, variable in enumerate(model.variables):
                variable.assign(state[f"model_{i}"])


def write_arrays(path, **arrays):
    """Save arrays as one .npz file that is there as a whole, or not at all."""
    with replaced(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())


def _weights(model):
    return {f"model_{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(model.variables)}


def _variables(model):
    groups = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {f"{name}_{i}": variable for name, group in groups.items() for i, variable in enumerate(group)}


def _state(model):
    return {key: keras.ops.convert_to_numpy(variable) for key, variable in _variables(model).items()}
