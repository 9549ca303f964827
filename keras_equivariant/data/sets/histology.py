"""Nuclei of cells of colon tissue, to be classified: patches from a file, cut into parts by patient."""

import numpy as np

from keras_equivariant.data.archive import needed
from keras_equivariant.data.cuts import drawn
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.utils.arrays import read_arrays

ARCHIVE = "crchisto27.npz"
LABELS = {"cancer": "is_cancerous", "type": "cell_type"}
UNKNOWN = 255  # of cell types
SHARES = {"test": 0.2, "val": 0.1}  # of the patients


def load_crchisto27(seed=0, target="cancer"):
    """Nuclei in histology of the colon: patches (27, 27, 3), uint8, of cancerous and other cells, or of four types.

    A fifth of the patients is for testing and a tenth for validation, always the same ones: patches of one patient are
    alike, so that a cut at random would promise too much. Cell types are known of some of the patients. `seed` has no
    effect.

    Args:
        seed: not used.
        target: "cancer" or "type".

    Raises:
        FileNotFoundError: crchisto27.npz is not in the folder KERAS_EQUIVARIANT_DATA.
        ValueError: another target, or a file that holds something else.
    """
    if target not in LABELS:
        raise ValueError(f"`target` must be one of {', '.join(LABELS)}. Received: target={target!r}. Choose one.")
    keys = ("x", "patient_id", LABELS[target])
    path = needed(ARCHIVE, "The patches are", f"x (count, 27, 27, 3), {', '.join(keys[1:])}", "rotated_digits")
    arrays = read_arrays(path, (*keys, "cell_type_names"))
    shapes = {key: arrays[key].shape for key in keys if key in arrays}
    x = shapes.get("x", ())
    if len(x) != 4 or shapes != {key: x if key == "x" else x[:1] for key in keys}:
        raise ValueError(
            f"The patches must be arrays x (count, height, width, channels), {' and '.join(keys[1:])} (count,). "
            f"Received: {path} with {shapes}. The file is another one: fetch it again."
        )
    images, patients, labels = (arrays[key] for key in keys)
    known = labels != UNKNOWN
    images, patients, labels = images[known], patients[known], labels[known]
    names = arrays.get("cell_type_names", ()) if target == "type" else ("other", "cancer")
    parts = _by_patient(patients)
    return Dataset(
        name="crchisto27",
        description=f"nuclei of colon tissue by {'cell type' if target == 'type' else 'cancer'}, cut by patient",
        class_names=tuple(map(str, names)),
        default_epochs=20,
        groups=patients[parts["train"]],
        **{f"x_{part}": images[which] for part, which in parts.items()},
        **{f"y_{part}": labels[which] for part, which in parts.items()},
    )


def _by_patient(patients):
    """Which rows belong to each part; all of one patient's to the same one."""
    everyone = np.unique(patients)
    left, found = everyone, {}
    for part, share in SHARES.items():
        chosen = left[drawn(np.zeros((len(left), 1)), max(1, round(share * len(everyone))))]
        found[part], left = np.isin(patients, chosen), np.setdiff1d(left, chosen)
    return {"train": np.isin(patients, left), **found}
