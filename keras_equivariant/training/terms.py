"""Other data in the terms that a trained network learned: its classes by name, the values of its masks, its numbers."""

import logging
from dataclasses import replace

import numpy as np

from keras_equivariant.data import Rows

log = logging.getLogger("keras_equivariant.training")


def in_terms_of(trained, dataset):
    """The `Dataset` with what its images show in the numbers and the order that a `Trained` network learned.

    Raises:
        ValueError: classes that it does not know, masks of another number of classes, other numbers, or vectors that
            rotate in another way.
    """
    of_one = isinstance(trained.model.output_shape, tuple) and not isinstance(dataset.y_test, Rows)
    if dataset.task == "classification":
        return _classes(trained, dataset) if of_one else dataset
    if trained.task == dataset.task and of_one:
        if dataset.task == "segmentation":
            _check_masks(trained, dataset)
        elif dataset.task == "multilabel":
            return _labels(trained, dataset)
        elif dataset.task in ("regression", "vectors"):
            return _numbers(trained, dataset)
    return dataset


def _classes(trained, dataset):
    """The labels as the numbers that the network gives to the classes of the same names."""
    count, own = trained.model.output_shape[-1], [*map(str, trained.settings.get("classes") or ())]
    names = [*map(str, dataset.class_names)] or [*map(str, range(dataset.num_classes))]
    counted = all(map(str.isdecimal, names))  # by numbers, which a network that has names knows, too
    if not own and len(names) == count and not counted:
        return dataset  # of a file that names none, in the order of the data
    known = own if not counted or all(map(str.isdecimal, own)) else []
    numbers = {name: number for number, name in enumerate(known or map(str, range(count)))}
    unknown = [name for name in names if name not in numbers]
    if unknown:
        raise ValueError(
            f"Classes are those that the network was trained on, by their names. Received: {dataset.name} with "
            f"{', '.join(unknown[:10])}; the network knows {', '.join([*numbers][:30])}. Leave the others out, or "
            "train on them."
        )
    table = np.array([numbers[name] for name in names])
    mapped = {part: table[targets] for part, targets in _targets(dataset).items()}
    return replace(dataset, **mapped, num_classes=count, class_names=tuple(own))


def _check_masks(trained, dataset):
    answers = trained.model.output_shape[-1]
    if dataset.num_classes != answers:
        raise ValueError(
            f"Masks have the classes that the network was trained on, {answers}. Received: {dataset.name} with "
            f"{dataset.num_classes}. Say what the classes have in these masks, "
            f"--option mask_values={[*(trained.mask_values or (0, 255))]}, or train on them."
        )


def _labels(trained, dataset):
    """The labels in the order that the network learned; those that no image has need no column."""
    own, names = [*map(str, trained.targets)], [*map(str, dataset.target_names)]
    missing = [name for name in own if name not in names]
    if not own or not names or not missing or not set(names) <= set(own):
        return _numbers(trained, dataset)
    log.warning("%s does not name these labels, which count as missing: %s.", dataset.name, ", ".join(missing))
    absent = {
        part: np.concatenate([targets, np.zeros((len(targets), len(missing)), targets.dtype)], axis=1)
        for part, targets in _targets(dataset).items()
    }
    return _numbers(trained, replace(dataset, **absent, target_names=(*names, *missing)))


def _numbers(trained, dataset):
    """The numbers in the order of the columns that the network learned, where the data call them the same."""
    if trained.target_type and dataset.target_type != trained.target_type:
        raise ValueError(
            "Vectors rotate as those that the network was trained on. Received: "
            f'{dataset.name} with targets of type "{dataset.target_type}", for a network that learned '
            f'"{trained.target_type}". Say what the numbers are, --option target=…, as in the training.'
        )
    own, names, count = [*trained.targets], [*map(str, dataset.target_names)], dataset.y_test.shape[-1]
    answers = trained.model.output_shape[-1]
    renamed = count == answers == 1 or not (own and names) or len(set(own)) < len(own)
    if count != answers or not renamed and sorted(own) != sorted(names):
        raise ValueError(
            f"Numbers are those that the network was trained on, {', '.join(own) or answers}. Received: {dataset.name} "
            f"with {', '.join(names) or count}. Give columns of these names, in any order."
        )
    if renamed or own == names:
        return dataset
    order = [names.index(name) for name in own]
    moved = {part: targets[..., order] for part, targets in _targets(dataset).items()}
    return replace(dataset, **moved, target_names=tuple(own))


def _targets(dataset):
    return {
        part: getattr(dataset, part) for part in ("y_train", "y_test", "y_val") if getattr(dataset, part) is not None
    }
