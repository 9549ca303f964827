"""Fitting one network: preprocessing, compile, resume, `fit`."""

import itertools
import logging

import keras
import numpy as np

from keras_equivariant.data import evaluation_parts, training_pipeline
from keras_equivariant.data.cuts import drawn
from keras_equivariant.data.pipeline import check_pipeline
from keras_equivariant.equivariance.lie_penalty import with_lie_penalty
from keras_equivariant.graphs.weights import finalize
from keras_equivariant.training.callbacks import Best, Checkpoint, EpochRecord
from keras_equivariant.training.distribution import Distribution
from keras_equivariant.training.evaluation import accuracy
from keras_equivariant.training.memory.rematerialize import rematerialize
from keras_equivariant.training.normalization import adapt, normalization_layers
from keras_equivariant.training.prediction import batch_of
from keras_equivariant.training.refit import check_head, refit_head
from keras_equivariant.training.seeding import set_seed
from keras_equivariant.training.statistics import LARGEST_SAMPLE, recompute_statistics
from keras_equivariant.training.tasks import task_of
from keras_equivariant.utils.files import replaced
from keras_equivariant.utils.keras_files import load_model

COMPARED_IMAGES = 2000
ROWS_AT_A_TIME = 250
LARGEST_DIFFERENCE = 0.1

log = logging.getLogger("keras_equivariant.training")


def check_fit(network, preprocess, dataset, epochs, batch_size, distribution):
    """Raises what `fit_network` would raise of a recipe that cannot be carried out on such data, before it is begun."""
    recipe = network.recipe
    preprocess.check(dataset.x_train)
    sizes = None if dataset.layout in ("points", "states") else preprocess.output_shape(dataset.image_shape)[:-1]
    check_pipeline(dataset.x_train, recipe.augment, recipe.shuffle_block, sizes)
    sample_weights(recipe, dataset)
    Best.of(recipe, dataset, None)
    count = distribution.divide("batch_size", min(batch_size, len(dataset.x_train)))
    if dataset.x_val is not None:
        distribution.divide("validation", len(dataset.x_val))
    if recipe.refit_head:
        check_head(network.model, dataset.y_train)
    with distribution.scope():
        recipe.make_optimizer(len(dataset.x_train) // count, epochs)


def fit_network(
    network,
    preprocess,
    dataset,
    folder,
    epochs,
    batch_size,
    seed=0,
    tensorboard=False,
    verbose=1,
    distribution=None,
):
    """Train a network to the end of its epochs, from its last checkpoint if the folder has one.

    Args:
        network: A `Network`, built in the scope of the distribution; its model is trained in place.
        preprocess: The recipe's `Preprocess`; fitted here.
        dataset: A `Dataset`.
        folder: An opened `RunFolder`; receives log.csv, checkpoint.npz, preprocess.npz and model.keras, all from the
            chief process.
        epochs, batch_size: Of this run (the recipe's may be for other data).
        seed: Seed of the order of the images and of their augmentation.
        tensorboard: Also write TensorBoard logs.
        verbose: Keras's: 0 silent, 1 progress bar, 2 a line each epoch.
        distribution: A `Distribution`, or None.

    Returns:
        The trained model, on a single device; None in a process that is not the chief.
    """
    distribution = distribution or Distribution()
    model, recipe = network.model, network.recipe
    images = preprocess.fit(dataset.x_train)
    if preprocess.state and distribution.is_chief:
        with replaced(folder / "preprocess.npz") as path, open(path, "wb") as file:
            np.savez(file, **preprocess.state)
    batch_size = distribution.divide("batch_size", min(batch_size, len(images)))
    steps = len(images) // batch_size
    rows = {
        "augment": recipe.augment,
        "block": recipe.shuffle_block,
        "target_type": dataset.target_type,
        "weights": sample_weights(recipe, dataset),
    }
    best = Best.of(recipe, dataset, folder / "best.npz")
    checkpoint = Checkpoint(folder / "checkpoint.npz")
    with distribution.scope():
        adapt(model, images)
        set_seed(seed)
        trained = rematerialize(model, batch_size=batch_size) if recipe.rematerialize else model
        task = task_of(dataset)
        trained, targets = task.trained(trained, dataset), task.learned(model, images, dataset.y_train)
        if recipe.lie_derivative_penalty:
            trained = with_lie_penalty(trained, recipe.lie_derivative_penalty)
        task.compile(trained, _optimizer(model, recipe, steps, epochs), recipe.loss, targets)
        if keras.backend.backend() == "tensorflow":  # which else traces the first step twice
            trained.optimizer.build(trained.trainable_variables)
        done = distribution.agree(trained, checkpoint.restore(trained) if distribution.is_chief else 0)
        for layer in normalization_layers(trained):
            finalize(layer)
    if done:
        log.info("Resuming after epoch %d of %d.", done, epochs)
    callbacks = [keras.callbacks.TerminateOnNaN(), EpochRecord()]
    if distribution.is_chief:
        folder.trim_log(done)
        callbacks.append(keras.callbacks.CSVLogger(folder / "log.csv", append=True))
    if best:  # before the checkpoint, behind which no epoch is done again
        callbacks.append(best)
    if distribution.is_chief:
        callbacks.append(checkpoint)
    if tensorboard and distribution.is_chief:
        callbacks.append(keras.callbacks.TensorBoard(folder / "tensorboard"))
    if done < epochs and not (best and best.has_stopped(done)):
        with distribution.working(), distribution.synchronized(trained):
            trained.fit(
                distribution.batches(
                    lambda part: training_pipeline(
                        images, targets, batch_size, seed, first_epoch=done, part=part, **rows
                    )[0]
                ),
                steps_per_epoch=steps,
                epochs=epochs,
                initial_epoch=done,
                callbacks=callbacks,
                shuffle=False,  # the pipeline has shuffled
                verbose=verbose,
                **_validation(task, model, dataset, preprocess, distribution),
            )
    if not distribution.is_chief:
        return None
    if best:
        best.restore(trained)
    save_model(model, folder / "model.keras")
    if distribution.kind != "none":
        model = load_model(folder / "model.keras")
    batches, _ = training_pipeline(images, targets, batch_size, seed, **{**rows, "weights": None})
    if recompute_statistics(model, itertools.islice(batches, min(steps, -(-LARGEST_SAMPLE // batch_size)))):
        save_model(model, folder / "model.keras")
    _warn_of_difference(model, images, dataset, folder)
    if recipe.refit_head:
        save_model(refit_head(model, images, dataset.y_train), folder / "model.keras")
    return model


def _optimizer(model, recipe, steps, epochs):
    """The optimizer of the recipe; where layers compute in float16 its loss is scaled, lest small gradients vanish.

    Keras does so where the model it compiles has that policy. What is compiled here may be made of the network: with
    its answer in the units of the targets, its forces, its motion.
    """
    optimizer = recipe.make_optimizer(steps, epochs)
    if any(layer.dtype_policy.name == "mixed_float16" for layer in model._flatten_layers()):
        return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
    return optimizer


def sample_weights(recipe, dataset):
    """A weight for each training image, with a mean of 1, or None: such that each class weighs as much as the "
    "others."""
    if recipe.class_weight is None:
        return None
    if dataset.task != "classification":
        raise ValueError(
            f"Only classes can be weighted. Received: class_weight={recipe.class_weight!r} with data "
            f'"{dataset.name}" for {dataset.task}. Leave it out; masks have loss: balanced_crossentropy.'
        )
    counts = np.bincount(dataset.y_train)
    return (len(dataset.y_train) / (np.sum(counts > 0) * np.maximum(counts, 1)))[dataset.y_train].astype("float32")


def _warn_of_difference(model, images, dataset, folder):
    """Warns where the network answers training images otherwise in inference than training reported."""
    reported = (folder.history().get("accuracy") or [None])[-1]
    if reported is None or dataset.task != "classification":
        return
    rows = drawn(dataset.y_train, COMPARED_IMAGES)
    batches = np.array_split(rows, -(-len(rows) // ROWS_AT_A_TIME))  # no more than a batch of a large set in memory
    right = sum(len(part) * accuracy(model, images[part], dataset.y_train[part]) for part in batches)
    found = right / len(rows)
    if found < reported - LARGEST_DIFFERENCE:
        log.warning(
            "In inference the network knows %.1f %% of its training images, %.1f %% while it was trained: layers that "
            "behave differently in training and inference have not settled; train longer, or with larger batches.",
            100 * found,
            100 * reported,
        )


def _validation(task, model, dataset, preprocess, distribution):
    """The arguments of `fit` for the validation part, if there is one."""
    if dataset.x_val is None:
        return {}
    images = preprocess(dataset.x_val)
    targets = task.learned(model, images, dataset.y_val)
    count = distribution.divide("validation", len(images))
    size = max(1, batch_of(images) // distribution.replicas) * distribution.replicas
    batches = distribution.batches(lambda part: evaluation_parts(images, targets, size, part))
    return {"validation_data": batches, "validation_steps": -(-count // size)}


def save_model(model, path):
    """Save the model in one step: a killed process leaves no half file."""
    with replaced(path) as temporary:
        model.save(temporary)
