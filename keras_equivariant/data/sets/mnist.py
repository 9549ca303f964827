"""MNIST: a local file where there is one, else Keras's download."""

from keras_equivariant.data.archive import find, load_archive
from keras_equivariant.data.dataset import Dataset


def load_mnist(seed=0):
    """60,000 training and 10,000 test digits (28, 28, 1), uint8. `seed` has no effect."""
    path = find("mnist.npz")
    if path is not None:
        return load_archive(path, name="mnist", description="MNIST", default_epochs=10)
    import keras

    return download("mnist", "MNIST", keras.datasets.mnist.load_data, default_epochs=10)


def download(name, description, load_data, **details):
    """A data set of `keras.datasets`; with no network, an error that says which file to put where."""
    try:
        (x_train, y_train), (x_test, y_test) = load_data()
    except Exception as error:  # keras.utils.get_file raises a bare Exception when a download fails
        raise ConnectionError(
            f"{description} could not be downloaded. Received: {error}. "
            f"Put {name}.npz (x_train, y_train, x_test, y_test) into a folder and set the environment variable "
            "KERAS_EQUIVARIANT_DATA to it, or use --data digits, which needs no network."
        ) from error
    return Dataset(
        name=name,
        description=description,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        **details,
    )
