"""Archives whose images nobody has divided into parts: `x` beside `y`, as people call them."""

import numpy as np

from keras_equivariant.data.parts import rows_of_parts
from keras_equivariant.data.targets import is_one_hot

IMAGES = ("x", "X", "images", "image", "volumes", "data")
TARGETS = ("y", "Y", "labels", "label", "masks", "mask", "targets", "target", "ans")
SPLIT, GROUPS = "split", ("groups", "group", "patient", "patient_id")


def keys_of(names):
    """The names of the images, the targets, the split and the groups among these, each None where there is none."""
    wanted = (IMAGES, TARGETS, (SPLIT,), GROUPS)
    return tuple(next((name for name in known if name in names), None) for known in wanted)


def groups_of(arrays):
    """A number for each row of what it belongs to, such as its patient, by the array that says so; None without."""
    found = next((arrays[name] for name in GROUPS if name in arrays), None)
    return None if found is None else np.unique(np.ravel(found), return_inverse=True)[1]


def divided(name, images, targets, split=None, groups=None, seed=0, classes=True):
    """`({"x_train": …, …}, fields of the Dataset)` of arrays with a row an image.

    Args:
        name: what the archive is called in messages.
        images, targets: the arrays.
        split: train, val or test of each image, or None: a fifth is drawn for testing.
        groups: what each image belongs to, such as its patient, drawn together, or None.
        seed: of the draw.
        classes: whether whole numbers and texts are classes, each of which is in the parts in its share.

    Raises:
        ValueError: arrays of several lengths, or a part without images.
    """
    arrays = {"images": images, "targets": targets, "split": split, "groups": groups}
    counts = {what: len(np.atleast_1d(array)) for what, array in arrays.items() if array is not None}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{count} {what}" for what, count in counts.items())
        raise ValueError(f"An archive has targets for each image. Received: {name} with {listed}. Save one for each.")
    if not counts["images"]:
        raise ValueError(f"A data set needs images. Received: {name} with none in its arrays. Save some.")
    labels = np.argmax(targets, axis=1) if is_one_hot(targets) else np.asarray(targets)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    classes = classes and labels.ndim == 1 and labels.dtype.kind in "biuUS"
    labels = labels if classes else np.zeros((len(labels), 1))
    of = None if groups is None else groups_of({GROUPS[0]: groups})
    parts = rows_of_parts(name, "images", labels, split, seed, of, leave=classes)
    found = {f"x_{part}": images[rows] for part, rows in parts.items()}
    found |= {f"y_{part}": targets[rows] for part, rows in parts.items()}
    return found, {} if of is None else {"groups": of[parts["train"]]}
