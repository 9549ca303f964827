"""Learning a basis: the losses fall, the same seed gives the same bits, and what cannot be learned is refused."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.groups import grid
from keras_equivariant.kernels import learned
from keras_equivariant.training.bases.autoencoder import BasisAutoEncoder

pytestmark = pytest.mark.tensorflow
QUICK = {"epochs": 2, "batch_size": 16, "verbose": 0}
LONGER = {**QUICK, "epochs": 12}


@pytest.fixture(scope="module")
def images():
    return ke.data.dead_leaves(96, 24)


@pytest.fixture(scope="module")
def basis(images):
    return ke.learn_basis("C8", 3, images, **LONGER)


def auto_encoder(group="C8", variant="partial", sigma=0.5, scales=(1.0,), size=9):
    return BasisAutoEncoder(ke.groups.get(group), 3, variant, size, sigma, 1.0, 1.0, scales, 24, 0)


def losses(model, images):
    model(images)
    return {tracker.name: float(tracker.result()) for tracker in model.trackers}


def test_images_are_generated_where_none_are_given(monkeypatch, tmp_path):
    """The command of the guide without --data: it called a module."""
    from keras_equivariant.training.bases import learn

    monkeypatch.setattr(learn, "IMAGES", 64)
    path = tmp_path / "c8.npz"
    arguments = ["--group", "C8", "--kernel-size", "3", "--epochs", "1", "--output", str(path), "--quiet"]
    assert main(["learn-basis", *arguments]) == 0 and path.is_file()
    assert "dead leaves" in str(learned.load(path).provenance)


def test_losses_fall_and_are_recorded(basis):
    history, held_out = basis.provenance["history"], basis.provenance["held_out_losses"]
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert set(held_out) == {"loss", "reconstruction", "equivariance", "orthogonality"}
    assert held_out["loss"] == history["val_loss"][-1]
    assert basis.provenance["settings"]["equivariance_weight"] == 30
    assert "86 learned from, 10 held out" in basis.provenance["images"]


def test_the_same_seed_gives_the_same_bits(basis, images):
    again = ke.learn_basis("C8", 3, images, **LONGER)
    np.testing.assert_array_equal(again.basis, basis.basis)
    other = ke.learn_basis("C8", 3, images, seed=1, **QUICK)
    assert not np.array_equal(other.basis, basis.basis)


def test_losses_are_their_formulas(images):
    model = auto_encoder("C4", "full")
    model.functions.assign(np.broadcast_to(np.eye(9) / 6, (4, 9, 9)))
    found = losses(model, images)
    assert found["orthogonality"] == pytest.approx(0.75 / 9, rel=1e-5)  # 9 B B^T = 1/4, on the diagonal alone
    assert found["equivariance"] > 0.01  # the functions do not rotate
    rotated = auto_encoder("C4", "partial")
    rotated.functions.assign(np.eye(9)[None] / 3)
    found = losses(rotated, images)
    # Quarter turns of pixels are exact and commute with the Gaussian: nothing is lost but rounding. Windows overlap
    # 9 times, so B B^T = 1/9 gives the image back.
    assert found["equivariance"] < 1e-6 and found["reconstruction"] < 1e-5 and found["orthogonality"] < 1e-6


def test_functions_of_a_partial_basis_are_pixel_permutations():
    model = auto_encoder("D8")
    functions = keras.ops.convert_to_numpy(model.basis())
    group = ke.groups.get("D8")
    assert functions.shape == (16, 9, 9) and model.functions.shape == (2, 9, 9)
    planes = functions.reshape(16, 9, 3, 3)
    for e in group.grid_elements:
        np.testing.assert_array_equal(planes[group.cayley[e]], grid.permute_pixels(planes, group.matrices[e], 2))


def test_elements_of_the_draws_obey_the_group_law():
    group = ke.groups.get("D4")
    model = auto_encoder("D4", "full", scales=(1.0, 1.5, 2.25))
    scale, element = np.divmod(model._draws, group.order)
    assert (scale[:, 0] + scale[:, 1] < 3).all()  # the image is not enlarged beyond the largest scale
    np.testing.assert_array_equal(scale[:, 2] + scale[:, 1], scale[:, 3])  # g (g^-1 t) = t
    np.testing.assert_array_equal(group.cayley[element[:, 1], element[:, 2]], element[:, 3])
    assert len(np.unique(model._draws, axis=0)) == len(model._draws)


def test_images_move_as_they_should():
    model = auto_encoder("C4", "full", sigma=0.1)  # so narrow that only the nearest pixel counts
    x = np.random.default_rng(0).normal(size=(4, 24, 24, 1)).astype("float32")
    moved = keras.ops.convert_to_numpy(model._move(x.reshape(4, -1, 1), np.arange(4)))
    for r in range(4):
        np.testing.assert_allclose(moved[r].reshape(24, 24), np.rot90(x[r, ..., 0], r), atol=1e-5)


@pytest.mark.parametrize(
    ("group", "options", "shape"),
    [
        ("C6", {"variant": "full"}, (1, 6, 9, 3, 3)),
        ("D4", {}, (1, 1, 9, 3, 3)),
        ("C4", {"size": 54, "variant": "full"}, (1, 4, 54, 3, 3)),
        ("C4", {"scales": (1, 1.5)}, (2, 1, 9, 3, 3)),
    ],
)
def test_any_group_overcomplete_and_scales(images, group, options, shape):
    found = ke.learn_basis(group, 3, images, **{**QUICK, "epochs": 1}, **options)
    assert found.basis.shape == shape and np.isfinite(found.basis).all()
    assert np.linalg.norm(found.basis[0, 0]) > 0.05


def test_images_are_made_grey_and_cut_to_size(images):
    color = np.repeat((255 * images).astype("uint8"), 3, axis=-1)[:40]
    found = ke.learn_basis("C4", 3, np.pad(color, ((0, 0), (8, 8), (9, 9), (0, 0))), **{**QUICK, "epochs": 1})
    assert "36 learned from, 4 held out" in found.provenance["images"]
    digits = ke.learn_basis("C4", 3, "digits", **{**QUICK, "epochs": 1, "batch_size": 512})
    assert "scikit-learn digits" in digits.provenance["images"]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("C6", 3), {}, 'must be a multiple of 4.*Received: group "C6"; use variant="full"'),
        (("D2", 3), {}, "must be a multiple of 4"),
        (("SO2", 3), {}, "finitely many elements"),
        (("C8", 4), {}, "`kernel_size` must be an odd number"),
        (("C8", (3, 3)), {"size": 9}, "`kernel_size` must be an odd number"),
        (("C8", 3), {"variant": "half"}, "`variant` must be one of"),
        (("C8", 3), {"size": 8}, "`size` must be a whole number from"),
        (("C8", 3), {"scales": (2, 4)}, "`scales` must begin with 1"),
        (("C8", 3), {"scales": (1, 2, 3)}, "`scales` must begin with 1"),
        (("C8", 3), {"epochs": 0}, "`epochs` must be a positive integer"),
        (("C8", 3), {"batch_size": 1000}, "use a smaller batch_size"),
        (("C8", 3), {"equivariance_weight": -1.0}, "`equivariance_weight` must be a number from 0"),
        (("C8", 3), {"orthogonality_weight": float("nan")}, "`orthogonality_weight` must be a number from 0"),
        (("C8", 3), {"sigma": 0}, "`sigma` must be a positive number of pixels.*Received: sigma=0"),
        (("C8", 3), {"learning_rate": -1.0}, "`learning_rate` must be a positive number"),
        (("C8", 3), {"seed": -1}, r"`seed` must be a whole number.*Received: seed=-1"),
        (("C8", 3), {"validation": 1.0}, "`validation` must be a fraction"),
        (("C8", 3), {"path": "basis.dat"}, 'must end with ".npz"'),
        (("C8", 9), {}, "large enough to rotate: 28 pixels or more"),
    ],
)
def test_what_cannot_be_learned_is_refused(images, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        ke.learn_basis(*arguments, images, **{**QUICK, **options})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones((40, 24, 24)), "all equal values"),
        (np.full((40, 24, 24), np.nan), "NaN"),
        (np.ones((40, 24)), "`images` must be an array"),
        (np.full((40, 24, 24), "a"), "`images` must be an array"),
        ("leaves", "Unknown data set"),
        ("springs", "A basis is learned from pictures"),
    ],
)
def test_images_that_cannot_be_used_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        ke.learn_basis("C8", 3, bad, **QUICK)


def test_the_folder_of_the_file_is_made_before_anything_is_learned(images, tmp_path):
    path = tmp_path / "new" / "basis.npz"
    ke.learn_basis("C4", 3, images, path=path, **{**QUICK, "epochs": 1})
    assert learned.load(path).group.name == "C4"


def test_command_line(images, tmp_path, capsys):
    np.savez(tmp_path / "x.npz", x_train=images, x_test=images[:2], y_train=np.zeros(96, int), y_test=np.zeros(2, int))
    path = tmp_path / "basis.npz"
    command = ["learn-basis", "--group", "C8", "--kernel-size", "3", "--data", str(tmp_path / "x.npz")]
    command += ["--output", str(path), "--epochs", "1", "--batch-size", "16", "--equivariance-weight", "20"]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert "Partial basis of 9 kernels of 3x3 on C8; losses a pixel on held-out images: equivariance 0." in output
    assert (tmp_path / "basis.png").stat().st_size > 10_000
    assert learned.load(path).provenance["settings"]["equivariance_weight"] == 20
    layer = ke.layers.LiftingConv2D(2, 3, "C8", basis=path)  # a pathlib.Path, too
    assert layer.get_config()["basis"] == str(path)
    assert main(command) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert main(["learn-basis", "--group", "C6", "--kernel-size", "3"]) == 2
    assert "multiple of 4" in capsys.readouterr().err
