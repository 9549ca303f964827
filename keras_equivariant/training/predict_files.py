"""predict_files(): what a trained network says of pictures, volumes, molecules and points in files that nobody has
labeled."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_equivariant.data import files, resampling, sizes
from keras_equivariant.data.common_form import CommonForm
from keras_equivariant.training import predict_points
from keras_equivariant.training.prediction import batch_of, model_of_images, predict
from keras_equivariant.training.saved import Trained, load_trained
from keras_equivariant.training.tasks import TASKS, Task
from keras_equivariant.training.volumes import predict_volume
from keras_equivariant.utils.messages import once
from keras_equivariant.utils.optional import require
from keras_equivariant.utils.text import table

OVERLAP = 0.5  # of the windows in which larger images are answered


@dataclass(frozen=True)
class Predictions:
    """What was said of each file: `columns`, the names of the numbers and texts, and `rows`, one a file, or one a
    molecule; `print` shows a table, `save` writes a CSV file."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __str__(self):
        cells = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in self.rows]
        return "\n".join(table(self.columns, cells))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a CSV file with a header, numbers in full."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([self.columns, *self.rows])


def predict_files(
    run: str | os.PathLike[str],
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
) -> Predictions:
    """What the network of a run says of pictures, volumes, molecules or points in files.

    The files are brought to the size, the voxels and the scale of the run's own data. Classes have their names, numbers
    their units; an angle is in degrees, counter-clockwise from the right. Masks are as large as their images: those of
    other sizes are answered in overlapping windows, or scaled as the run's images were (`fit="resize"`) and back.
    Molecules, of .xyz files or of archives with `z` and `pos`, are read by the elements and places of the run; clouds
    of points are archives with `positions`, and with `values` and `mask` where they have any. No targets are needed.

    Args:
        run: a run folder, or a .keras file, of which the outputs are shown as they are.
        paths: a file or a folder, or several.
        output: for one answer a file a .csv file; for answers at every pixel a folder, which gets a file of the same
            name for each: masks as .png (0 and 255, or the values of the classes in the masks of the training), of
            NIfTI volumes as .nii.gz on the grid of the volume, all else as .npy; for molecules a .csv file, or an
            .extxyz file, which has the forces on every atom. Default: None, nothing is written.

    Returns:
        `Predictions`, a row a file, or a molecule, with its number in the file; of masks the share of the pixels of
        each class.

    Equivariance: that of the network, on files of the size that it was trained on.

    Raises:
        FileNotFoundError: no such run or file.
        ValueError: a folder without pictures, files of another size or other channels than the network takes, atoms of
            elements that it has not seen, a network for trajectories, an `output` that does not suit the answers or
            would replace a file that is read.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import keras_equivariant as ke
        >>> folder = tempfile.mkdtemp()
        >>> np.save(f"{folder}/image.npy", np.zeros((28, 28)))
        >>> ke.build_from_spec("z2_cnn", classes=2).save(f"{folder}/net.keras")
        >>> ke.predict_files(f"{folder}/net.keras", f"{folder}/image.npy").columns
        ('file', 'output 1', 'output 2')
    """
    trained = load_trained(run)
    task = TASKS[trained.task].learning(trained.targets) if trained.task else Task()
    if task.of_files and predict_points.takes_points(trained.model):
        return _of_points(
            trained, task, _listed(paths, predict_points.SUFFIXES, "molecules or points"), output, str(run)
        )
    _check_images_alone(trained, run)
    listed = _listed(paths, files.SUFFIXES, "a picture or a volume")
    of_pixels = len(trained.model.output_shape) == len(trained.model.input_shape)
    target = _checked_output(output, of_pixels)
    if target is not None and of_pixels:
        _check_names(listed, target)
    found = (_maps if of_pixels else _rows)(trained, task, listed, target)
    columns = dict.fromkeys(key for row in found for key in row)
    rows = tuple((str(path), *(row.get(key, "") for key in columns)) for path, row in zip(listed, found, strict=True))
    result = Predictions(("file", *columns), rows)
    if target is not None and not of_pixels:
        result.save(target)
    return result


def _of_points(trained, task, listed, output, run):
    target = predict_points.checked_output(output, trained, listed)
    answers = predict_points.Answers(trained, task, listed, run)
    result = Predictions(*answers.table())
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        (result if target.suffix.lower() == ".csv" else answers).save(target)
    return result


def _check_images_alone(trained, run):
    shapes = getattr(trained.model, "input_shape", None), getattr(trained.model, "output_shape", None)
    if not all(isinstance(shape, tuple) for shape in shapes) or len(shapes[0]) not in (4, 5):
        raise ValueError(
            "Files are predicted by networks that take images or volumes, or positions, values and a mask of points, "
            f"and answer with one tensor. Received: {run} with inputs {shapes[0]} and outputs {shapes[1]}. Use "
            "`load_model` and `model.predict` on arrays."
        )


def _listed(paths, suffixes, what):
    """The files of such endings, those of folders by name."""
    found = []
    for path in map(Path, [paths] if isinstance(paths, str | os.PathLike) else list(paths)):
        path = path.expanduser()
        if not path.exists():
            raise FileNotFoundError(f"A file to predict must exist. Received: {path}. Correct its name.")
        inside = files.listed(path, suffixes) if path.is_dir() else [path] if files.suffix_of(path, suffixes) else []
        if not inside:
            raise ValueError(
                f"What is predicted by this network is {what} ({', '.join(suffixes)}), or a folder of such files. "
                f"Received: {path}. Name the files, or the folder that they lie in."
            )
        found += inside
    if not found:
        raise ValueError("There must be a file to predict. Received: none. Name files, or the folder that they lie in.")
    return list(dict.fromkeys(found))


def _check_names(paths, folder):
    """ValueError where an answer would be written over a picture, or over another answer."""
    beside = [path for path in paths if path.parent.resolve() == folder.resolve()]
    if beside:
        raise ValueError(
            f"Answers are written beside no picture, which they would replace. Received: output={str(folder)!r}, where "
            f"{beside[0].name} lies. Name another folder."
        )
    names = [files.stem_of(path) for path in paths]
    twice = [path for path, name in zip(paths, names, strict=True) if names.count(name) > 1]
    if twice:
        raise ValueError(
            f"An answer has the name of its file, which must be that of one alone. Received: {twice[0]} and "
            f"{twice[1]}. Predict them one after the other, into folders of their own."
        )


def _checked_output(output, of_pixels):
    if output is None:
        return None
    output = Path(output).expanduser()
    if of_pixels and (output.suffix or output.is_file()):
        raise ValueError(
            f"Answers at every pixel are one file an image, in a folder. Received: output={str(output)!r}. Name a "
            f"folder, such as {output.stem}."
        )
    if not of_pixels and (output.suffix.lower() != ".csv" or output.is_dir()):
        raise ValueError(
            f"Answers of one row a file are written to a .csv file. Received: output={str(output)!r}. Name one, such "
            f"as {output.stem}.csv."
        )
    (output if of_pixels else output.parent).mkdir(parents=True, exist_ok=True)
    return output


def _form(trained: Trained, paths, sized=True):
    """What brings files to the form of the run's own data."""
    kept = trained.settings.get("data_options") or {}
    size = {key: kept[key] for key in ("size", "fit") if key in kept} if sized else {}
    others = {key: kept.get(key) for key in ("voxel_size", "bits")}
    return CommonForm("what is predicted", paths, **size, **others, channels=trained.model.input_shape[-1])


def _rows(trained, task, paths, _):
    """A dict for each file: the answer by the names of its columns."""
    images = _form(trained, paths).files(paths)
    trained.check_images(images, "what is predicted")
    columns = task.answers(predict(trained.model, images, trained.preprocess), trained)
    return [{key: values[i] for key, values in columns.items()} for i in range(len(paths))]


def _maps(trained, task, paths, folder):
    """A dict for each file; what is said at each pixel is written into the folder."""
    found = []
    with once("keras_equivariant.data", "keras_equivariant.training"):  # each file is read by itself
        for path in paths:
            answer, columns = task.map_of(_map(trained, path), trained)
            if folder is not None:
                columns = {**columns, "written": str(_write(answer, path, folder))}
            found.append(columns)
    return found


def _map(trained, path):
    """What the network says at each pixel of a file, on the grid that the run's voxels have."""
    kept = trained.settings.get("data_options") or {}
    own = _form(trained, [path], sized=False)
    image, size = np.asarray(own.files([path])), trained.model.input_shape[1:-1]
    if any(n not in (None, have) for n, have in zip(size, own.size, strict=True)):
        trained.check_scale(image, str(path))
        if kept.get("fit") == "resize":
            answer = predict(trained.model, sizes.fitted(image[0], size, "resize")[None], trained.preprocess)[0]
            return sizes.restored(answer, own.size)
        answering = model_of_images(trained.model, trained.preprocess)
        return predict_volume(answering, image[0], size, OVERLAP, batch_of(np.empty((1, *size, 1))))
    trained.check_images(image, str(path))
    return predict(trained.model, image, trained.preprocess)[0]


def _write(answer, path, folder):
    """The path of the file that now holds the answer."""
    target = folder / files.stem_of(path)
    if files.suffix_of(path) in files.NIFTIS and answer.dtype.kind in "ui":
        nibabel = require("nibabel", "Writing NIfTI volumes", "medical")
        volume, (array, size) = nibabel.load(path), files.read(path)
        have = [s * n / m for s, n, m in zip(size, array.shape, answer.shape, strict=False)]
        answer = resampling.resampled(answer[..., None], have, size, mask=True)
        answer = sizes.fitted(answer, array.shape[:3], mask=True)[..., 0]
        target = target.with_name(f"{target.name}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(answer, volume.affine), target)
    elif answer.ndim == 2 and answer.dtype in (np.uint8, np.uint16):
        target = target.with_name(f"{target.name}.png")
        require("PIL.Image", "Writing pictures", "files").fromarray(answer).save(target)
    else:
        target = target.with_name(f"{target.name}.npy")
        np.save(target, answer)
    return target
