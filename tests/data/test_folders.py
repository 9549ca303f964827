"""Data as people have them: folders of pictures, images with masks, CSV files, sizes, labels as texts and one-hot."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from keras_equivariant import data
from keras_equivariant.data import files, resampling
from keras_equivariant.data.cuts import drawn
from keras_equivariant.data.files import Files
from keras_equivariant.data.sizes import fitted

pytest.importorskip("PIL")
RNG = np.random.default_rng(0)


def save(path, array):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def classes(folder, counts=(("dog", 20), ("cat", 10), ("eel", 5)), shape=(12, 18, 3)):
    for k, (name, count) in enumerate(counts):
        for i in range(count):
            array = np.full(shape, 60 * (k + 1) % 256, "uint8")
            save(folder / name / f"{i}.{'jpg' if i % 2 else 'png'}", array)
    return folder


def others(root, *names):
    """Files of kinds that are not read, in folders."""
    for folder, name in zip("ab", names, strict=True):
        (root / folder).mkdir()
        (root / folder / name).write_bytes(b"some")


def test_a_folder_for_each_class(tmp_path):
    found = data.load(classes(tmp_path))
    assert found.class_names == ("cat", "dog", "eel") and found.image_shape == (12, 18, 3)
    # A fifth of each class is for testing.
    assert np.bincount(found.y_train).tolist() == [8, 16, 4] and np.bincount(found.y_test).tolist() == [2, 4, 1]
    gray = {"cat": 120, "dog": 60, "eel": 180}
    for image, label in zip(found.x_train, found.y_train, strict=True):
        assert abs(int(image[0, 0, 0]) - gray[found.class_names[label]]) <= 3
    np.testing.assert_array_equal(data.load(tmp_path).y_train, found.y_train)


def test_parts_in_folders_and_grey_beside_color(tmp_path):
    for part, count in (("train", 6), ("valid", 3), ("test", 4)):
        classes(tmp_path / part, (("a", count), ("b", count)), (9, 9))
    save(tmp_path / "test" / "a" / "colored.png", np.zeros((9, 9, 3), "uint8"))
    found = data.load(str(tmp_path))
    assert [len(x) for x in (found.x_train, found.x_val, found.x_test)] == [12, 6, 9]
    assert found.image_shape == (9, 9, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: save(p / "a" / "1.png", np.zeros((4, 4), "uint8")), "a folder for each class.*the folders a and 0"),
        (lambda p: save(p / "1.png", np.zeros((4, 4), "uint8")), "none and 1 images of its own"),
        (lambda p: others(p, "IM0001", "x.heic"), r"known by its ending, .jpg,.*2 others.*a/IM0001.*such as .dcm"),
        (lambda p: save(classes(p) / "dog" / "x.png", np.zeros((9, 9), "uint8")), r"9x9 \(1\).*Use --size 12 18"),
        (lambda p: (classes(p) / "dog" / "x.png").write_bytes(b"no"), "must be whole.*x.png.*Remove it"),
        (
            lambda p: classes(p / "train") and save(p / "test" / "ant" / "1.png", np.zeros((12, 18), "uint8")),
            "any of ant",
        ),
    ],
)
def test_folders_that_cannot_be_read(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(ValueError, match=message):
        data.load(tmp_path)


def test_sizes_are_cut_padded_and_scaled_aloud(tmp_path, caplog):
    save(classes(tmp_path) / "dog" / "x.png", np.full((24, 36, 3), 60, "uint8"))
    with caplog.at_level("INFO", logger="keras_equivariant"):
        assert data.load(tmp_path, size=(16, 16)).image_shape == (16, 16, 3)
    assert "16 x 16 now: 36 cut, 35 padded with zeros" in caplog.text
    assert data.load(tmp_path, size=(12, 18), fit="resize").image_shape == (12, 18, 3)
    for size in ((16,), (0, 3)):
        with pytest.raises(ValueError, match="height and width"):
            data.load(tmp_path, size=size)
    with pytest.raises(ValueError, match="fit='squash'"):
        data.load(tmp_path, size=(8, 8), fit="squash")


def test_fitting_never_squashes():
    image = np.arange(24.0).reshape(4, 6, 1)
    np.testing.assert_array_equal(fitted(image, (2, 2)), image[1:3, 2:4])
    padded = fitted(image, (6, 8))
    np.testing.assert_array_equal(padded[1:5, 1:7], image)
    assert padded.sum() == image.sum()
    disc = (np.hypot(*np.indices((41, 41)) - 20) < 15).astype("uint8")[..., None] * 200
    small = fitted(disc, (21, 40), "resize")
    rows, columns = np.nonzero(small[..., 0] > 100)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1, "a disc is no ellipse afterwards"
    assert set(np.unique(fitted(disc, (15, 15), "resize", mask=True))) == {0, 200}


def test_images_with_masks(tmp_path):
    for i in range(10):
        image, mask = RNG.integers(0, 99, (8, 10)).astype("uint8"), np.zeros((8, 10), "uint8")
        mask[2:5, 1 + i % 3 : 8] = 255
        save(tmp_path / "images" / f"{i}.png", image)
        save(tmp_path / "masks" / f"{i}_mask.png", mask)
    found = data.load(tmp_path)
    assert found.task == "segmentation" and found.num_classes == 1 and set(np.unique(found.y_train)) == {0, 1}
    assert found.x_train.shape == found.y_train.shape == (8, 8, 10, 1)
    mask[5:7] = 100  # a third gray value is a third class
    save(tmp_path / "masks" / "0_mask.png", mask)
    found = data.load(tmp_path)
    values = np.unique(np.concatenate([found.y_train.ravel(), found.y_test.ravel()]))
    assert found.num_classes == 3 and values.tolist() == [0, 1, 2]
    (tmp_path / "masks" / "3_mask.png").unlink()
    with pytest.raises(ValueError, match="10 images, of which 1 have none.*such as 3.png"):
        data.load(tmp_path)


def table(folder, header, rows):
    with open(folder / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return folder / "table.csv"


def test_tables(tmp_path):
    classes(tmp_path, (("x", 10),), (6, 6))
    files = [f"x/{i}.{'jpg' if i % 2 else 'png'}" for i in range(10)]
    angles = data.load(table(tmp_path, ["file", "angle"], [(f, 90 * i) for i, f in enumerate(files)]))
    assert angles.task == "vectors" and angles.target_type == "1x1"
    np.testing.assert_allclose(np.linalg.norm(angles.y_train, axis=1), 1, atol=1e-6)
    axes = data.load(tmp_path / "table.csv", target="axis")
    assert axes.target_type == "1x2" and set(np.round(axes.y_train[:, 0]).astype(int)) == {-1, 1}
    split = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    rows = [(f, i / 3, i**2, s) for i, (f, s) in enumerate(zip(files, split, strict=True))]
    numbers = data.load(table(tmp_path, ["name", "a", "b", "split"], rows))
    assert numbers.task == "regression" and numbers.target_names == ("a", "b") and numbers.y_train.shape == (6, 2)
    assert numbers.x_val.shape[0] == numbers.x_test.shape[0] == 2
    words = data.load(table(tmp_path, ["name", "kind"], [(f, "ab"[i % 2]) for i, f in enumerate(files)]))
    assert words.task == "classification" and words.class_names == ("a", "b")


@pytest.mark.parametrize(
    ("header", "row", "options", "message"),
    [
        (["a", "b"], ("1", "2"), {}, "names image files.*columns a, b"),
        (["file", "y"], ("gone.png", "2"), {}, "1 of 1 are missing, such as .*gone.png"),
        (["file"], ("x/0.png",), {}, "1 columns"),
        (["file", "y"], ("x/0.png", "two"), {"target": "number"}, "'two'"),
        (["file", "y", "z"], ("x/0.png", "1", "2"), {"target": "angle"}, "An angle is one number"),
        (["file", "y"], ("x/0.png", "1"), {"target": "vector"}, "A vector has two numbers"),
        (["file", "y"], ("x/0.png", "1"), {"target": "color"}, "target='color'"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, header, row, options, message):
    classes(tmp_path, (("x", 1),), (6, 6))
    with pytest.raises(ValueError, match=message):
        data.load(table(tmp_path, header, [row]), **options)


def test_labels_as_texts_and_one_hot():
    x = np.zeros((6, 5, 5, 1), "uint8")
    words = np.array(["b", "a", "c", "a", "b", "c"])
    found = data.Dataset("d", "", x, words, x[:3], words[:3])
    assert found.class_names == ("a", "b", "c") and found.y_train.tolist() == [1, 0, 2, 0, 1, 2]
    one_hot = data.Dataset("d", "", x, np.eye(3)[found.y_train], x[:3], np.eye(3)[:3])
    np.testing.assert_array_equal(one_hot.y_train, found.y_train)


def test_large_sets_stay_on_disk(tmp_path, monkeypatch):
    whole = data.load(classes(tmp_path))
    monkeypatch.setattr("keras_equivariant.data.files.IN_MEMORY", 100)
    stored = data.load(tmp_path)
    assert isinstance(stored.x_train, Files)
    np.testing.assert_array_equal(stored.x_train, whole.x_train)
    held = stored.with_validation(0.25)
    assert isinstance(held.x_train, Files) and len(held.x_train) == 21
    x, y = data.training_pipeline(held.x_train, held.y_train, 4)[0].as_numpy_iterator().next()
    assert x.shape == (4, 12, 18, 3) and y.shape == (4,)


def test_cuts_are_drawn_by_class():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    rows = drawn(labels, 20)
    assert np.bincount(labels[rows]).tolist() == [12, 6, 2] and len(set(rows)) == 20
    np.testing.assert_array_equal(rows, drawn(labels, 20))
    assert not np.array_equal(rows, drawn(labels, 20, seed=1))
    blocks = drawn(np.arange(24) % 3, 7, block=3)
    assert (np.arange(24)[blocks] % 3).tolist() == [0, 1, 2] * 2
    assert len(drawn(np.zeros((50, 2)), 7)) == 7


def test_volumes_in_files(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    for name, count in (("sick", 5), ("well", 5)):
        (tmp_path / name).mkdir()
        for i in range(count):
            volume = RNG.normal(size=(6, 6, 4)).astype("float32")
            nibabel.save(nibabel.Nifti1Image(volume, np.diag([1.0, 1.0, 2.5, 1.0])), tmp_path / name / f"{i}.nii.gz")
    found = data.load(tmp_path)
    assert found.layout == "volumes" and found.image_shape == (6, 6, 4, 1) and found.voxel_size == (1.0, 1.0, 2.5)
    assert data.load(tmp_path, size=(8, 8, 4)).image_shape == (8, 8, 4, 1)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "sick" / "0.nii.gz")
    with pytest.raises(ValueError, match="voxels of one size.*voxel_size"):
        data.load(tmp_path)
    found = data.load(tmp_path, voxel_size=1.0, size=(6, 6, 10))
    assert found.image_shape == (6, 6, 10, 1) and found.voxel_size == (1.0, 1.0, 1.0), "4 of 2.5 are 10 of 1"
    with pytest.raises(ValueError, match="positive length"):
        data.load(tmp_path, voxel_size=[1, 0, 1])


def test_resampled_volumes_keep_what_they_show():
    z = np.indices((6, 6, 24))[2] * 2.0 + 1
    volume = np.sin(z / 4)[..., None]
    found = resampling.resampled(volume, (1.0, 1.0, 2.0), (1.0, 1.0, 1.0))
    assert found.shape == (6, 6, 48, 1)
    wanted = np.sin((np.arange(48) + 0.5) / 4)  # whose peaks lie between the samples
    np.testing.assert_allclose(found[0, 0, 14:-14, 0], wanted[14:-14], atol=0.01)
    mask = (z > 8).astype("uint8")[..., None]
    finer = resampling.resampled(mask, (1.0, 1.0, 2.0), (1.0, 1.0, 1.0), mask=True)
    np.testing.assert_array_equal(finer[0, 0, :, 0], np.repeat(mask[0, 0, :, 0], 2))
    back = np.rot90(resampling.resampled(np.rot90(volume), (1.0, 1.0, 2.0), (1.0, 1.0, 1.0)), -1)
    np.testing.assert_array_equal(back, found)


def test_pictures_stand_as_the_camera_noted(tmp_path):
    from PIL import Image

    shown = RNG.integers(0, 255, (8, 12), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by a quarter turn clockwise
    Image.fromarray(np.rot90(shown).copy()).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(files.read(tmp_path / "a.png")[0][..., 0], shown)
    for name in "ab":
        for i in range(3):
            save(tmp_path / "set" / name / f"{i}.png", shown)
    (tmp_path / "a.png").rename(tmp_path / "set" / "a" / "held_sideways.png")
    assert data.load(tmp_path / "set").image_shape == (8, 12, 1)


def test_black_and_white_pictures_span_as_much_as_gray_ones(tmp_path):
    save(tmp_path / "a.png", np.eye(4, dtype=bool))
    np.testing.assert_array_equal(files.read(tmp_path / "a.png")[0][..., 0], 255 * np.eye(4))


@pytest.mark.parametrize("mode", ["gray", "red", "palette", "alpha"])
def test_masks_keep_their_classes(tmp_path, mode):
    from PIL import Image

    classes = RNG.integers(0, 2 if mode == "red" else 3, (6, 6)).astype("uint8")
    array = {
        "gray": np.repeat(classes[..., None], 3, axis=-1),
        "red": classes[..., None] * np.array([255, 0, 0], "uint8"),
        "alpha": np.stack([classes] * 3 + [np.full_like(classes, 255)], axis=-1),
    }.get(mode, classes)
    picture = Image.fromarray(array)
    if mode == "palette":
        picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "mask.png")
    found = files.read(tmp_path / "mask.png", mask=True)[0][..., 0]
    np.testing.assert_array_equal(found, classes * (255 if mode == "red" else 1))


def test_masks_in_several_colors_are_refused(tmp_path):
    colors = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], "uint8")
    save(tmp_path / "mask.png", colors[RNG.integers(0, 3, (6, 6))])
    with pytest.raises(ValueError, match="in 3 colors. Save it in gray values or with a palette"):
        files.read(tmp_path / "mask.png", mask=True)


@pytest.mark.parametrize(
    ("grays", "suffix", "classes"), [((0, 128), "png", 1), ((0, 255), "jpg", 1), ((0, 7, 9), "png", 2)]
)
def test_gray_values_of_masks_are_classes(tmp_path, grays, suffix, classes):
    kinds = np.zeros((6, 32, 32), int)
    for i, at in enumerate(RNG.integers(2, 20, 6)):
        kinds[i, at : at + 9, 3:13] = 1
        kinds[i, :2, 10:] = len(grays) - 1
        save(tmp_path / "images" / f"{i}.png", RNG.integers(0, 255, (32, 32), dtype=np.uint8))
        save(tmp_path / "masks" / f"{i}.{suffix}", np.array(grays, "uint8")[kinds[i]])
    found = data.load(tmp_path)
    masks = np.concatenate([found.y_train, found.y_test])
    assert found.task == "segmentation" and masks.max() == classes
    assert sorted(int(m.sum()) for m in masks) == sorted(int(k.sum()) for k in kinds)


def test_images_of_16_bits_beside_some_of_8(tmp_path, caplog):
    caplog.set_level("INFO")
    for name in "ab":
        for i in range(4):
            gray = np.full((6, 6), 90 + i, "uint8")
            save(tmp_path / name / f"{i}.png", gray.astype("uint16") * 257 if i % 2 else gray)
    found = data.load(tmp_path)
    assert "divided by 257" in caplog.text
    assert sorted({float(x) for x in np.unique(found.x_train)}) == [90.0, 91.0, 92.0, 93.0]
    np.save(tmp_path / "a" / "9.npy", np.zeros((6, 6)))
    with pytest.raises(ValueError, match="numbers of one kind.*float64.*Save them alike"):
        data.load(tmp_path)


RGB = np.zeros((6, 9, 3), "uint8")
RGB[..., 0], RGB[:3, :, 1], RGB[:, 4:, 2] = 200, 100, 50
GRAY = RGB[..., 0] // 2 + RGB[..., 1]
INK = np.concatenate([255 - RGB, np.zeros((6, 9, 1), "uint8")], axis=-1)
WITH_ALPHA = np.concatenate([RGB, np.full((6, 9, 1), 7, "uint8")], axis=-1)
TIFFS = {
    "gray": (GRAY, GRAY, {}),
    "rgb": (RGB, RGB, {"photometric": "rgb"}),
    "planes of colors": (RGB, RGB.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
    "alpha": (RGB, WITH_ALPHA, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "gray and alpha": (
        GRAY,
        np.stack([GRAY, np.full_like(GRAY, 9)], axis=-1),
        {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
    ),
    "cmyk": (RGB, INK, {"photometric": "separated"}),
    "counted from white": (GRAY, 255 - GRAY, {"photometric": "miniswhite"}),
    "16 bits from white": (257 * GRAY.astype("uint16"), 65535 - 257 * GRAY.astype("uint16"), {"photometric": 0}),
    "bits": (255 * (GRAY > 150).astype("uint8"), GRAY > 150, {"photometric": "minisblack"}),
    "bits from white": (255 * (GRAY > 150).astype("uint8"), GRAY <= 150, {"photometric": "miniswhite"}),
    "floats": (GRAY / np.float32(256), GRAY / np.float32(256), {"photometric": "minisblack"}),
    "channels of a microscope": (RGB, RGB.transpose(2, 0, 1), {"imagej": True, "metadata": {"axes": "CYX"}}),
    "volume": (np.stack([GRAY] * 5), np.stack([GRAY] * 5), {"photometric": "minisblack"}),
    "volume of colors": (np.stack([RGB] * 4), np.stack([RGB] * 4), {"photometric": "rgb"}),
}
for number in range(1, 9):  # what is stored, so that it is seen as GRAY
    stored = GRAY[:, ::-1] if number in (2, 3, 6, 7) else GRAY
    stored = stored[::-1] if number in (3, 4, 7, 8) else stored
    stored = stored.T if number > 4 else stored
    TIFFS[f"orientation {number}"] = (GRAY, stored.copy(), {"extratags": [(274, 3, 1, number, True)]})
colors, codes = np.unique(RGB.reshape(-1, 3), axis=0, return_inverse=True)
colormap = np.zeros((3, 256), "uint16")
colormap[:, : len(colors)] = 257 * colors.T.astype("uint16")
TIFFS["palette"] = (RGB, codes.reshape(6, 9).astype("uint8"), {"photometric": "palette", "colormap": colormap})


@pytest.mark.parametrize("kind", TIFFS)
def test_tiffs_are_read_as_they_are_seen(tmp_path, kind):
    tifffile = pytest.importorskip("tifffile")
    shown, stored, options = TIFFS[kind]
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    found, _ = files.read(tmp_path / "a.tif")
    shown = shown if shown.shape[-1] == 3 else shown[..., None]
    assert found.dtype == shown.dtype
    np.testing.assert_array_equal(found, shown)


def test_the_numbers_of_masks_in_tiffs_stay(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    for kind in ("palette", "counted from white", "bits from white", "gray", "orientation 6"):
        shown, stored, options = TIFFS[kind]
        tifffile.imwrite(tmp_path / "a.tif", stored, **options)
        wanted = shown if "orientation" in kind else stored
        np.testing.assert_array_equal(files.read(tmp_path / "a.tif", mask=True)[0][..., 0], wanted)


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "group4"])
def test_compressed_tiffs_are_read_without_further_packages(tmp_path, compression):
    from PIL import Image

    pytest.importorskip("tifffile")
    shown = {"group4": GRAY > 150, "jpeg": np.full((16, 16, 3), (200, 100, 50), "uint8")}.get(compression, RGB)
    Image.fromarray(shown).save(tmp_path / "a.tif", compression=compression)
    found = files.read(tmp_path / "a.tif")[0]
    np.testing.assert_allclose(found.squeeze(), 255.0 * shown if compression == "group4" else shown, atol=3)


def with_masks(folder, masks, suffix="png", images=None):
    """A folder of images beside these masks."""
    (folder / "masks").mkdir(parents=True)
    for i, mask in enumerate(masks):
        image = RNG.integers(0, 99, mask.shape, dtype=np.uint8) if images is None else images[i]
        save(folder / "images" / f"{i}.png", image)
        if suffix == "npy":
            np.save(folder / "masks" / f"{i}.npy", mask)
        else:
            save(folder / "masks" / f"{i}.{suffix}", mask)
    return folder


def upper(shape, value=255, dtype="uint8"):
    mask = np.zeros(shape, dtype)
    mask[: shape[0] // 2] = value
    return mask


@pytest.mark.parametrize("size", [None, (8, 8)])
def test_a_mask_of_another_size_than_its_image_is_refused(tmp_path, size):
    masks = [upper((16, 16))] * 4 + [upper((32, 32))]
    with_masks(tmp_path, masks, images=[np.zeros((16, 16), "uint8")] * 5)
    with pytest.raises(ValueError, match=r"size of its image.*masks/4\.png of 32x32 for .*images/4\.png of 16x16"):
        data.load(tmp_path, size=size)


def test_masks_of_rotated_photographs_lie_as_these_are_shown(tmp_path, caplog):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    with_masks(tmp_path, [upper((12, 8))] * 6)
    for i in range(6):
        Image.fromarray(np.zeros((8, 12), "uint8")).save(tmp_path / "images" / f"{i}.png", exif=exif)
    with caplog.at_level("INFO", logger="keras_equivariant"):
        assert data.load(tmp_path).y_train.shape[1:] == (12, 8, 1)
    assert "6 images are shown as their camera noted, rotated" in caplog.text
    save(tmp_path / "masks" / "3.png", upper((8, 12)))
    with pytest.raises(ValueError, match="of 8x12 for .* of 12x8. A picture is taken as it is shown.*rotate the mask"):
        data.load(tmp_path)


@pytest.mark.parametrize("reverse", [False, True])
def test_masks_have_a_type_that_holds_the_numbers_of_every_file(tmp_path, reverse):
    soft = [upper((8, 8), 1)] + [upper((8, 8), 0.75, "float32")] * 5
    deep = [upper((8, 8), 1)] + [upper((8, 8), 258, "uint16") // (1 + upper((8, 8), 0))] * 5
    bits = [upper((8, 8))] + [upper((8, 8), True, "bool")] * 4 + [upper((8, 8), 1)]
    found = {}
    for name, masks in (("soft", soft), ("deep", deep), ("bits", bits)):
        found[name] = data.load(with_masks(tmp_path / name, masks[:: -1 if reverse else 1], "npy"))
    every = {name: np.concatenate([d.y_train, d.y_test]) for name, d in found.items()}
    assert sorted(y.max() for y in every["soft"]) == [0.75] * 5 + [1]
    assert found["deep"].num_classes == 3 and sorted(y.max() for y in every["deep"]) == [1] + [2] * 5
    assert found["bits"].num_classes == 1 and (every["bits"].max(axis=(1, 2, 3)) == 1).all()


def test_gray_alone_is_repeated(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(5):
            np.save(tmp_path / name / f"{i}.npy", np.full((8, 8, 3 if i == 4 else 4), 9, "uint8"))
    with pytest.raises(ValueError, match=r"the same channels.*3 channels \(2\), 4 channels \(8\). Save them alike"):
        data.load(tmp_path)


def test_texts_are_drawn_by_class(tmp_path):
    classes(tmp_path, (("x", 100),), (4, 4))
    paths = [f"x/{i}.{'jpg' if i % 2 else 'png'}" for i in range(100)]
    rows = [(path, "rare" if i < 10 else "common") for i, path in enumerate(paths)]
    for seed in range(3):
        found = data.load(table(tmp_path, ["file", "kind"], rows), seed=seed)
        assert np.bincount(found.y_test).tolist() == [18, 2]


def test_every_class_keeps_an_image_to_train_on(tmp_path, caplog):
    classes(tmp_path, [*((f"c{i}", 1) for i in range(10)), ("d", 10), ("e", 2)], (4, 4))
    with caplog.at_level("INFO", logger="keras_equivariant"):
        found = data.load(tmp_path)
    assert set(found.y_train) == set(range(12)) and set(found.y_test) == {10, 11}
    assert "trained on, but not tested: c0, c1, c2, c3, c4, c5, c6, c7 and 2 more" in caplog.text
    assert len(found.with_fraction(0.2).x_train) == 4
    assert "Behind a fraction of 0.2 no image is left to train on of " in caplog.text
    held = found.with_validation(0.3)
    assert set(held.y_train) == set(range(12)) and set(held.y_val) == {10}
    apart = replace(found, groups=np.where(found.y_train < 10, 0, 1)).with_validation(0.5)
    assert ("validation no image is left to train on of " in caplog.text) and len(set(apart.groups)) == 1
    classes(tmp_path / "alone", [(f"c{i}", 1) for i in range(6)], (4, 4))
    with pytest.raises(ValueError, match="6 classes of one file each"):
        data.load(tmp_path / "alone")
    x = np.zeros((6, 4, 4, 1), "uint8")
    with pytest.raises(ValueError, match="one training image of each class"):
        data.Dataset("d", "", x, np.arange(6), x, np.arange(6)).with_validation(0.5)
    rows = [(f"c{i}/0.png", "ab"[i % 2], "train") for i in range(9)] + [("d/0.png", "z", "test")]
    with pytest.raises(ValueError, match="without any of z in train"):
        data.load(table(tmp_path, ["file", "kind", "split"], rows))


def test_a_validation_part_that_is_not_used_is_named(tmp_path, caplog):
    for part in ("train", "val", "test"):
        classes(tmp_path / part, (("a", 10), ("b", 10)), (4, 4))
    found = data.load(tmp_path)
    assert len(found.x_val) == 20 and len(found.with_validation(0.2).x_val) == 4
    assert "has a validation part of its own, of 20, which is not used: 4 training images" in caplog.text


def test_a_file_is_in_one_part_only(tmp_path):
    classes(tmp_path, (("x", 25),), (4, 4))
    for i in range(25):
        save(tmp_path / "x" / f"{i}.png", np.full((4, 4), i, "uint8"))
    rows = [(f"x/{i % 25}.png" if i < 75 else f"x/../x/{i % 25}.png", i % 25 % 2) for i in range(100)]
    found = data.load(table(tmp_path, ["file", "label"], rows))
    held = found.with_validation(0.2)
    parts = [set(x[:, 0, 0, 0].tolist()) for x in (held.x_train, held.x_val, held.x_test)]
    assert [len(part) for part in parts] == [16, 4, 5] and len(set.union(*parts)) == 25
    assert len(held.x_test) == 20 and len(held.x_train) == 64
    split = [(*row, "train" if i < 50 else "test") for i, row in enumerate(rows)]
    with pytest.raises(ValueError, match=r"A file is in one part only.*x/0\.png in train and in test"):
        data.load(table(tmp_path, ["file", "label", "split"], split))


@pytest.mark.parametrize("count", [-3, 0])
def test_a_draw_takes_at_least_one_row(count):
    with pytest.raises(ValueError, match=f"rows to draw, at least 1. Received: count={count}"):
        drawn(np.arange(10) % 2, count)


def test_options_that_would_do_nothing_are_refused(tmp_path):
    classes(tmp_path, (("a", 5), ("b", 5)), (6, 6))
    for options, message in (
        ({"fit": "resize"}, "how images are brought to `size`.*fit='resize' without it"),
        ({"voxel_size": 2.0}, "whose files know how large their voxels are"),
    ):
        with pytest.raises(ValueError, match=message):
            data.load(tmp_path, **options)


def some(folder, *names, count=5, ending="png"):
    """Folders of a few pictures each."""
    for name in names:
        for i in range(count):
            save(folder / name / f"{i}.{ending}", upper((6, 6)))
    return folder


@pytest.mark.parametrize(
    "names",
    [list("ABCXYZ"), ["_background", "cat"], ["car", "plane", "train"], ["x", "y", "z"], ["a/upper", "a/lower", "b"]],
)
def test_every_folder_is_a_class(tmp_path, names):
    found = data.load(some(tmp_path, *names))
    assert found.task == "classification" and len(found.x_train) + len(found.x_test) == 5 * len(names)
    assert found.class_names == tuple(sorted({name.split("/")[0] for name in names}))
    assert data.load(some(tmp_path / "pair", "X", "y")).task == "segmentation"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: some(p, "images", "masks", "previews"), "stand alone.*images and masks beside previews"),
        (lambda p: some(p, "train/images", "train/masks", "test/images"), "Every part has.*without such in test"),
        (lambda p: some(p, "train/a", "train/b", "val/a", "validation/a"), "val and validation, which both mean `val`"),
        (lambda p: some(p, "images/train", "images/test", "masks/train", "masks/test"), "train/images in place of"),
        (lambda p: some(p, "a/train", "a/val", "b/train", "b/val"), "train/a in place of a/train"),
        (lambda p: some(p, "train", "test"), "holds a folder for each class"),
        (lambda p: some(some(p, "images", "masks"), "images", ending="jpg"), "each is there once.*0.jpg and 0.png"),
        (lambda p: some(some(p, "images", "masks"), "masks", ending="tif"), "each is there once.*0.png and 0.tif"),
        (lambda p: some(p, "images/p1", "masks/p2"), "5 images, of which 5 have none in .*such as p1.0.png"),
        (lambda p: some(p, "masks") and (p / "images").mkdir(), "images without a file that can be read"),
    ],
)
def test_folders_of_which_some_would_be_lost_are_refused(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(ValueError, match=message):
        data.load(tmp_path)


def test_masks_are_paired_in_folders_of_the_same_name(tmp_path):
    for patient, rows in (("p1", 2), ("p2", 4)):
        for i in range(5):
            save(tmp_path / "images" / patient / f"{i}.png", np.full((6, 6), rows, "uint8"))
            mask = np.zeros((6, 6), "uint8")
            mask[:rows] = 255
            save(tmp_path / "masks" / patient / f"{i}_mask.png", mask)
    found = data.load(tmp_path)
    assert len(found.x_train) + len(found.x_test) == 10
    np.testing.assert_array_equal(found.y_train.sum(axis=(1, 2, 3)), 6.0 * found.x_train[:, 0, 0, 0])


def test_what_is_left_out_is_named(tmp_path, caplog):
    some(tmp_path, "a", "b", "c", ".hidden")
    (tmp_path / "c" / "5.heic").write_bytes(b"")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "0.heic").write_bytes(b"")
    (tmp_path / "d" / "Thumbs.db").write_bytes(b"")
    save(tmp_path / "own.png", upper((6, 6)))
    assert data.load(tmp_path).class_names == ("a", "b", "c")
    assert "left out: own.png, c/5.heic, d/0.heic." in caplog.text
    caplog.clear()
    assert data.load(some(tmp_path / "ppm", "a", "b", ending="ppm")).image_shape == (6, 6, 1)
    assert "left out" not in caplog.text


def test_links_back_are_not_followed(tmp_path, caplog):
    some(tmp_path, "a", "b")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "twice.png").symlink_to(tmp_path / "b" / "0.png")
    found = data.load(tmp_path)
    assert len(found.x_train) + len(found.x_test) == 11
    assert "left out" not in caplog.text


def plain(folder, header, *rows, separator=",", options=None):
    """What twenty pictures are by a table with these rows; a row is repeated, until there are twenty."""
    some(folder, "x", count=20)
    wanted = [rows[i] if i < len(rows) else rows[0] for i in range(20)]
    lines = [separator.join([f"x/{i}.png", *map(str, row)]) for i, row in enumerate(wanted)]
    (folder / "table.csv").write_text("\n".join([separator.join(["file", *header]), *lines]))
    return data.load(folder / "table.csv", **(options or {}))


@pytest.mark.parametrize(
    ("header", "rows", "separator", "message"),
    [
        (["weight"], [[0.5], [""]], ",", "what its image shows.*line 3, with weight=''. Fill it in, or take the row"),
        (["weight"], [[0.5], ["NaN"]], ",", "line 3, with weight='NaN'"),
        (["kind"], [["a"], ["b"], [""]], ",", "line 4, with kind=''"),
        (["label"], [[0], [1], [""]], ",", "line 4, with label=''"),
        (["weight", "height"], [[0.5, 2], [1, ""]], ",", "line 3, with height=''"),
        (["weight"], [[0.5], ["n/a"]], ",", "holds numbers.*line 3, with weight='n/a'. Correct it.*--target class"),
        (["angle"], [["3,5"], ["4,5"]], ";", "line 2, with angle='3,5'. Write a decimal point, 3.5"),
        (["label"], [["3,5"], ["4,5"]], ";", "line 2, with label='3,5'. Write a decimal point, 3.5"),
        (["label"], [[0.5], [2], ["n/a"]], ",", "line 4, with label='n/a'. Correct it.*--target class"),
        (["weight"], [["3,5"]], ",", "line 2, with more than the columns file, weight. Write .* decimal point"),
        (["weight", "weight"], [[1, 2]], ",", "a name of its own.*weight, weight"),
        (["a", "b"], [[1, 2], [1, "x"]], ",", "columns a, b hold numbers.*b='x'. Correct it, or take its row away.$"),
        (["label", "split"], [[0, "train"], [1, "holdout"]], ",", "train, training.*line 3, with split='holdout'"),
        (["label", "fold"], [[0, 1], [1, 2]], ",", "line 2, with fold='1'.*take the column away"),
        (["label", "split", "set"], [[0, "train", "a"]], ",", "set='a' beside split"),
    ],
)
def test_cells_that_would_be_misread_are_named_by_their_line(tmp_path, header, rows, separator, message):
    with pytest.raises(ValueError, match=message) as caught:
        plain(tmp_path, header, *rows, separator=separator)
    if "--target class" in str(caught.value):
        assert data.load(tmp_path / "table.csv", target="class").task == "classification"


def test_rows_of_nothing_are_passed_over(tmp_path):
    plain(tmp_path, ["weight"], [0.5])
    with open(tmp_path / "table.csv", "a") as file:
        file.write("\n,\n\n")
    found = data.load(tmp_path / "table.csv")
    assert found.task == "regression" and len(found.x_train) + len(found.x_test) == 20
    assert plain(tmp_path, ["label"], [1], ["2b"]).class_names == ("1", "2b")
    assert plain(tmp_path, ["label"], [0.5], [0.7]).task == "regression", "classes are whole numbers"
    assert plain(tmp_path, ["set"], ["a"], ["b"]).class_names == ("a", "b"), "the only column is what they show"
