"""Data sets from lists of files: one size, one number of channels, parts for training and testing."""

import itertools
import logging

import numpy as np

from keras_equivariant.data import files
from keras_equivariant.data import masks as masks_of_files
from keras_equivariant.data.common_form import CommonForm
from keras_equivariant.data.cuts import drawn, others
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.parts import TEST_SHARE

log = logging.getLogger("keras_equivariant.data")


def assembled(
    name,
    parts,
    masks=None,
    size=None,
    fit="pad",
    seed=0,
    description=None,
    voxel_size=None,
    bits=None,
    mask_values=None,
    owners=None,
    **fields,
):
    """A `Dataset` of files.

    Args:
        name: what it is called.
        parts: `{part: (paths, targets)}`; without "test" a fifth of the training files is drawn for it.
        masks: `{part: paths of masks}` in place of targets, or None.
        size, fit: as in `sizes.fitted`; None where all files have one size.
        seed: of the draw.
        voxel_size: what the voxels of volumes are brought to, in the files' own units; None leaves them.
        bits: of the scale of pictures, 8 or 16; None for 8 where some have them.
        mask_values: of the classes in the masks, as in `masks.numbered`.
        owners: `{path: what it belongs to}`, such as its patient, where that is known besides what the files say.
        fields: of the `Dataset`.

    Raises:
        ValueError: files of several sizes without `size`, or fewer than two.
    """
    parts = {part: (list(paths), targets) for part, (paths, targets) in parts.items()}
    masks = dict(masks or {})
    if "train" not in parts or not parts["train"][0]:
        raise ValueError(
            f"A data set needs files to train on. Received: {name} with the parts {', '.join(parts) or 'none'}. Name "
            "the folder of the training files `train`, or leave out the folders of parts."
        )
    owners = files.belongings(path for paths, _ in parts.values() for path in paths) | (owners or {})
    _check_apart(name, parts, owners)
    classes = fields.get("task") == "classification"
    names = fields.get("class_names", ())
    if "test" not in parts:
        _draw_test(name, parts, masks, seed, owners, names if classes else None)
    if classes:
        _check_trained(name, parts, names)
    of = _numbers_of(parts["train"][0], owners)
    if of.max() + 1 < len(of):  # so that parts cut later do not share a file either
        fields["groups"] = of
    every = [path for paths, _ in parts.values() for path in paths]
    form = CommonForm(name, every, size, fit, voxel_size, bits)
    arrays = {}
    for part, (paths, targets) in parts.items():
        arrays[f"x_{part}"] = form.files(paths).loaded()
        arrays[f"y_{part}"] = None if masks else np.asarray(targets)
    reading = {"bits": form.bits} if form.bits else {}
    if masks:
        images = {part: paths for part, (paths, _) in parts.items()}
        found, values = masks_of_files.beside(masks, images, form, mask_values)
        arrays |= {f"y_{part}": array for part, array in found.items()}
        fields |= masks_of_files.told(values)
        reading |= {} if values is None else {"mask_values": values}
    what = f"{len(every):,} files of {name}" if description is None else description
    return Dataset(name=str(name), description=what, voxel_size=form.voxel_size, reading=reading, **arrays, **fields)


def _numbers_of(paths, owners):
    """For each path the number of its file, or of its patient, by first appearance, whatever the name or link it is
    given by."""
    numbers = {}
    return np.array([numbers.setdefault(owners[path], len(numbers)) for path in paths], "int64")


def _check_apart(name, parts, owners):
    found = {}
    for part, (paths, _) in parts.items():
        for path, file in zip(paths, files.identities(paths), strict=True):
            other = found.setdefault(file, part)
            if other != part:
                raise ValueError(
                    f"A file is in one part only, else a network is tested on what it has seen. Received: {name} with "
                    f"{path} in {other} and in {part}. Take it out of one."
                )
    seen = [{owners[path] for path in paths} for paths, _ in parts.values()]
    shared = {one for a, b in itertools.combinations(seen, 2) for one in a & b}
    if shared:
        log.warning(
            "Files of %d patients are in several parts of %s: a network is tested on patients it has seen.",
            len(shared),
            name,
        )


def _check_trained(name, parts, names):
    trained = set(np.asarray(parts["train"][1]).tolist())
    lost = {label for _, labels in parts.values() for label in np.asarray(labels).tolist()} - trained
    if lost:
        raise ValueError(
            f"Every class has images to train on. Received: {name} without any of {_listed(sorted(lost), names)} in "
            "train. Add some, or take the class out of the other parts."
        )


def _draw_test(name, parts, masks, seed, owners, names):
    """Move a fifth of the training files to a test part; rows of one file, and files of one patient, stay together.

    Args:
        owners: `{path: what it belongs to}`.
        names: of the classes, of which each keeps a file to train on; None where targets are no classes.
    """
    paths, targets = parts["train"]
    of = _numbers_of(paths, owners)
    total, first = int(of.max()) + 1, np.unique(of, return_index=True)[1]
    count = round(TEST_SHARE * total)
    if count < 1:
        raise ValueError(
            f"A data set needs files to train on and to test on. Received: {name} with {total} in all. Add more."
        )
    labels = np.zeros((len(paths), 1)) if targets is None else np.asarray(targets)
    chosen = drawn(labels[first], count, seed, leave=names is not None)
    if names is not None:
        found, times = np.unique(labels[first], return_counts=True)
        if not len(chosen):
            raise ValueError(
                f"A class needs a file to train on and one to test on. Received: {name} with {len(found)} classes of "
                "one file each. Add more, or a part for testing."
            )
        if (times == 1).any():
            alone = _listed(found[times == 1].tolist(), names)
            log.info("Classes of one file alone are trained on, but not tested: %s.", alone)
    test = np.flatnonzero(np.isin(of, chosen))
    kept = others(test, len(paths))
    for part, rows in (("test", test), ("train", kept)):
        parts[part] = [paths[i] for i in rows], None if targets is None else labels[rows]
        if masks:
            masks[part] = [masks["train"][i] for i in rows] if part == "test" else masks["train"]
    if masks:
        masks["train"] = [masks["train"][i] for i in kept]
    what = "files" if total == len(set(files.identities(paths))) else "patients, with all their files,"
    log.info(
        "No folder or column says what is for testing: %d of %d %s are drawn (seed %d).", len(chosen), total, what, seed
    )


def _listed(labels, names, most=8):
    """The first of some classes by their names."""
    said = ", ".join(str(names[label] if len(names) else label) for label in labels[:most])
    return said + (f" and {len(labels) - most} more" if len(labels) > most else "")
