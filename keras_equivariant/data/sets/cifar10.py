"""CIFAR-10: a local file where there is one, else Keras's download; and a lossy copy of it from a file."""

import numpy as np

from keras_equivariant.data.archive import find, load_archive, needed
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.jpeg import decoded
from keras_equivariant.data.sets.mnist import download
from keras_equivariant.utils.arrays import read_arrays


def load_cifar10(seed=0) -> Dataset:
    """50,000 training and 10,000 test photographs (32, 32, 3), uint8. `seed` has no effect."""
    path = find("cifar10.npz")
    if path is not None:
        return load_archive(path, name="cifar10", description="CIFAR-10", default_epochs=30)
    import keras

    return download("cifar10", "CIFAR-10", keras.datasets.cifar10.load_data, default_epochs=30)


def load_cifar10_jpeg(seed=0) -> Dataset:
    """CIFAR-10 behind a lossy compression: 50,000 training and 10,000 test photographs (32, 32, 3), uint8.

    The pixels are those of JPEG files, off by some gray levels from CIFAR-10's own: accuracies are not CIFAR-10's, and
    stand beside others on this set alone. `seed` has no effect.

    Raises:
        FileNotFoundError: cifar10_jpeg.npz is not in the folder KERAS_EQUIVARIANT_DATA.
        ValueError: the file holds something else.
    """
    keys = ("jpeg", "offsets", "y", "split")
    path = needed("cifar10_jpeg.npz", "The photographs are", f"{', '.join(keys)} with 0 = train and 1 = test", "digits")
    arrays = read_arrays(path, (*keys, "class_names"))
    shapes = {key: array.shape for key, array in arrays.items()}
    if not set(keys) <= set(shapes) or len(arrays["offsets"]) != len(arrays["y"]) + 1:
        raise ValueError(
            f"The photographs must be an archive of {', '.join(keys)}, one more offset than photographs. Received: "
            f"{path} with {shapes}. The file is another one: fetch it again."
        )
    images = np.stack(list(decoded(arrays["jpeg"], arrays["offsets"], path)))
    parts = {"train": arrays["split"] == 0, "test": arrays["split"] == 1}
    return Dataset(
        name="cifar10_jpeg",
        description="CIFAR-10 (JPEG), lossy",
        class_names=tuple(map(str, arrays.get("class_names", ()))),
        default_epochs=30,
        **{f"x_{part}": images[which] for part, which in parts.items()},
        **{f"y_{part}": arrays["y"][which] for part, which in parts.items()},
    )
