"""Rotated MNIST from the published file formats, from an archive, and regenerated; MNIST from disk or not at all."""

import zipfile

import numpy as np
import pytest

from keras_equivariant import data
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.sets import rotated_mnist


def digits(count, seed):
    rng = np.random.default_rng(seed)
    return rng.random((count, 28, 28)).astype("float32"), np.arange(count) % 10


def amat(images, labels):
    rows = np.hstack([images.reshape(len(images), 784), labels[:, None]])
    return "\n".join(" ".join(f"{value:.7g}" for value in row) for row in rows) + "\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_EQUIVARIANT_DATA", str(tmp_path))
    return tmp_path


def test_the_published_zip_round_trips(folder):
    train, test = digits(12, 0), digits(7, 1)
    with zipfile.ZipFile(folder / rotated_mnist.ZIP, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(rotated_mnist.AMAT_TRAIN, amat(*train))
        archive.writestr(rotated_mnist.AMAT_TEST, amat(*test))
    dataset = data.load("rotated_mnist")
    np.testing.assert_allclose(dataset.x_train[..., 0], train[0], atol=1e-6)
    np.testing.assert_allclose(dataset.x_test[..., 0], test[0], atol=1e-6)
    np.testing.assert_array_equal(dataset.y_train, train[1])
    assert "published" in dataset.description


def test_the_unpacked_files_are_found(folder):
    train, test = digits(12, 0), digits(7, 1)
    (folder / rotated_mnist.AMAT_TRAIN).write_text(amat(*train))
    (folder / rotated_mnist.AMAT_TEST).write_text(amat(*test))
    np.testing.assert_array_equal(data.load("rotated_mnist").y_test, test[1])


def test_a_truncated_zip_and_truncated_text(folder):
    path = folder / rotated_mnist.ZIP
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(rotated_mnist.AMAT_TRAIN, amat(*digits(12, 0)))
    with pytest.raises(ValueError, match=f"{rotated_mnist.AMAT_TEST}.*fetch it again"):
        data.load("rotated_mnist")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="complete zip file.*fetch it again"):
        data.load("rotated_mnist")
    path.unlink()
    text = amat(*digits(12, 0))
    (folder / rotated_mnist.AMAT_TEST).write_text(text)
    for broken in (text[:20_000], text.replace(" ", " x", 1), "1 2 3\n", ""):
        (folder / rotated_mnist.AMAT_TRAIN).write_text(broken)
        with pytest.raises(ValueError, match="lines of 785 numbers"):
            data.load("rotated_mnist")


def test_an_archive_is_called_regenerated(folder):
    (x_train, y_train), (x_test, y_test) = digits(12, 0), digits(7, 1)
    np.savez(folder / "rotmnist_regen.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    dataset = data.load("rotated_mnist")
    assert dataset.name == "rotated_mnist" and "regenerated" in dataset.description


def test_regeneration_uses_each_digit_once_and_the_seed_alone():
    images = np.zeros((40, 28, 28), "uint8")
    images[:, 8:20, 8:20] = np.arange(40)[:, None, None] * 6 + 10  # every digit has its own gray value
    mnist = Dataset("m", "m", images[:30], np.arange(30) % 10, images[30:], np.arange(30, 40) % 10)
    first, again = (rotated_mnist.regenerate(mnist, 7, 25, 15) for _ in range(2))
    other = rotated_mnist.regenerate(mnist, 8, 25, 15)
    np.testing.assert_array_equal(first.x_train, again.x_train)
    assert (first.x_train != other.x_train).any()
    rotated = np.concatenate([first.x_train, first.x_test])[:, 13:15, 13:15].mean(axis=(1, 2, 3))
    which = np.argmin(np.abs(rotated[:, None] - (np.arange(40) * 6 + 10)), axis=1)
    assert len(set(which)) == 40, "a digit was used twice"
    np.testing.assert_array_equal(which % 10, np.concatenate([first.y_train, first.y_test]))
    assert "seed 7" in first.description and "regenerated" in first.description


def test_mnist_from_disk(folder):
    (x_train, y_train), (x_test, y_test) = digits(12, 0), digits(7, 1)
    np.savez(folder / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    assert len(data.load("mnist").x_test) == 7


@pytest.mark.parametrize(("name", "module"), [("mnist", "mnist"), ("cifar10", "cifar10")])
def test_without_network_the_error_says_which_file_to_put_where(folder, monkeypatch, name, module):
    import keras

    def offline():
        raise Exception("URL fetch failure: no network")

    monkeypatch.setattr(getattr(keras.datasets, module), "load_data", offline)
    with pytest.raises(ConnectionError, match=f"no network.*Put {name}.npz.*KERAS_EQUIVARIANT_DATA"):
        data.load(name)
