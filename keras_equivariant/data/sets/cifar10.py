"""CIFAR-10: a local file where there is one, else Keras's download."""

from keras_equivariant.data.archive import find, load_archive
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.sets.mnist import download


def load_cifar10(seed=0) -> Dataset:
    """50,000 training and 10,000 test photographs (32, 32, 3), uint8. `seed` has no effect."""
    path = find("cifar10.npz")
    if path is not None:
        return load_archive(path, name="cifar10", description="CIFAR-10", default_epochs=30)
    import keras

    return download("cifar10", "CIFAR-10", keras.datasets.cifar10.load_data, default_epochs=30)
