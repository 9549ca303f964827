"""Fitting one network: preprocessing, compile, resume, `fit`."""

import logging
import os

import keras
import numpy as np

from keras_equivariant.data import evaluation_pipeline, training_pipeline
from keras_equivariant.training.callbacks import Checkpoint, EpochRecord
from keras_equivariant.training.normalization import adapt
from keras_equivariant.training.rematerialize import rematerialize
from keras_equivariant.training.task import batch_of
from keras_equivariant.training.tasks import task_of

log = logging.getLogger("keras_equivariant.training")


def fit_network(network, preprocess, dataset, folder, epochs, batch_size, seed=0, tensorboard=False, verbose=1):
    """Train a network to the end of its epochs, from its last checkpoint if the folder has one.

    Args:
        network: A `Network`; its model is trained in place.
        preprocess: The recipe's `Preprocess`; fitted here.
        dataset: A `Dataset`.
        folder: An opened `RunFolder`; receives log.csv, checkpoint.npz, preprocess.npz and model.keras.
        epochs, batch_size: Of this run (the recipe's may be for other data).
        seed: Seed of the order of the images and of their augmentation.
        tensorboard: Also write TensorBoard logs.
        verbose: Keras's: 0 silent, 1 progress bar, 2 a line each epoch."""
    model, recipe = network.model, network.recipe
    images = preprocess.fit(dataset.x_train)
    if preprocess.state:
        np.savez(folder / "preprocess.npz", **preprocess.state)
    adapt(model, images)
    steps = max(1, len(images) // batch_size)
    keras.utils.set_random_seed(seed)
    trained = rematerialize(model) if recipe.rematerialize else model
    task_of(dataset).compile(trained, recipe.make_optimizer(steps, epochs), recipe.loss, dataset.y_train)
    checkpoint = Checkpoint(folder / "checkpoint.npz")
    done = checkpoint.restore(trained)
    folder.trim_log(done)
    if done:
        log.info("Resuming after epoch %d of %d.", done, epochs)
    batches, steps = training_pipeline(images, dataset.y_train, batch_size, seed, recipe.augment, done)
    validation = None
    if dataset.x_val is not None:
        validation = evaluation_pipeline(preprocess(dataset.x_val), dataset.y_val, batch_of(images))
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        EpochRecord(),
        keras.callbacks.CSVLogger(folder / "log.csv", append=True),
        checkpoint,
    ]
    if tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(folder / "tensorboard"))
    if done < epochs:
        trained.fit(
            batches,
            steps_per_epoch=steps,
            epochs=epochs,
            initial_epoch=done,
            validation_data=validation,
            callbacks=callbacks,
            shuffle=False,  # the pipeline has shuffled
            verbose=verbose,
        )
    save_model(model, folder / "model.keras")


def save_model(model, path):
    """Save the model in one step: a killed process leaves no half file."""
    temporary = path.with_name(f".{path.stem}.tmp.keras")
    model.save(temporary)
    os.replace(temporary, path)
