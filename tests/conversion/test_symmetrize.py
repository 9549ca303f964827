"""Any model averaged over a group, or put into a canonical orientation."""

import keras
import numpy as np
import pytest
from keras import layers
from stock_networks import shake

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow


def plain(size=12):
    """A network without symmetry: a mask, and numbers."""
    image = keras.Input((size, size, 2), name="image")
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(image)
    mask = layers.Conv2D(2, 3, padding="same")(layers.BatchNormalization()(x))
    return shake(keras.Model(image, [mask, layers.Dense(4)(layers.Flatten()(x))], name="plain"))


def pictures(size=12, seed=0):
    return np.random.default_rng(seed).standard_normal((3, size, size, 2)).astype("float32")


@pytest.mark.parametrize("how", ["average", "canonical"])
@pytest.mark.parametrize(
    ("group", "outputs"),
    [("D4", None), ("D4", ["image", "vectors"]), ("C4", ["1x1", "1x1 + 2x0"]), ("C2", ["image", "1x1 + 3x0"])],
)
def test_exact_and_folded(how, group, outputs):
    stock = plain()
    layouts = outputs or ["image", "invariant"]
    assert ke.certify(stock, group, output_layout=layouts).verdict == "broken"
    model = ke.symmetrize(stock, group, how, outputs)
    report = ke.certify(model, group, output_layout=layouts)
    assert report.verdict == "exact" and report.max_error < 1e-12
    x = pictures()
    for ours, theirs in zip(ke.fold(model)(x), model(x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("how", ["average", "canonical"])
def test_symmetric_images_have_symmetric_masks(how):
    x = pictures()
    for moved in (lambda x: x[:, ::-1], lambda x: x[:, :, ::-1], lambda x: x.transpose(0, 2, 1, 3)):
        x = x + moved(x)
    mask = np.asarray(ke.symmetrize(plain(), "D4", how)(x)[0])
    np.testing.assert_allclose(mask, mask[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(mask, mask.transpose(0, 2, 1, 3), atol=1e-5)


def test_average_is_the_mean_of_answers():
    stock = plain()
    x = pictures()
    moved = [np.asarray(stock(ke.groups.act(x, "D4", g, "image"))[1]) for g in range(8)]
    np.testing.assert_allclose(ke.symmetrize(stock, "D4")(x)[1], np.mean(moved, axis=0), atol=1e-5)


def test_models_within_save_and_load(tmp_path):
    for how in ("average", "canonical"):
        model = ke.symmetrize(plain(), "D4", how)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(again(pictures())[1], model(pictures())[1], atol=1e-6)


def test_average_is_exact_in_int8(tmp_path):
    stock = plain(8)
    model = ke.symmetrize(keras.Model(stock.input, stock.outputs[1], name="numbers"), "D4")
    report = ke.export(model, tmp_path, ["tflite_int8"], representative_data=pictures(8))
    assert report.passed and max(report.artifacts[0].equivariance.values()) == 0


def test_models_with_several_inputs_inside_fold():
    image, number = keras.Input((8, 8, 1)), keras.Input((3,))
    x = layers.Concatenate()([layers.Flatten()(layers.Conv2D(2, 3)(image)), number])
    model = ke.symmetrize(keras.Model([image, number], layers.Dense(2)(x)), "D4")
    rng = np.random.default_rng(0)
    given = [rng.standard_normal((2, *one.shape[1:])).astype("float32") for one in model.inputs]
    np.testing.assert_allclose(ke.fold(model)(given), model(given), atol=1e-5)


def test_volumes_in_tflite(tmp_path):
    stock = keras.Sequential([keras.Input((4, 4, 4, 1)), layers.Conv3D(2, 3), layers.Flatten(), layers.Dense(2)])
    assert ke.export(ke.symmetrize(stock, "O"), tmp_path, ["tflite"]).passed


def test_ties_are_measured():
    model = ke.symmetrize(plain(), "D4", "canonical")
    assert ke.canonical_ties(model, pictures()).share < 0.5
    same = ke.canonical_ties(model, np.ones((2, 12, 12, 2), "float32"))
    assert same.share == 1 and "share a largest score" in str(same)
    with pytest.raises(ValueError, match='how="canonical"'):
        ke.canonical_ties(plain(), pictures())


def test_arguments_are_checked():
    stock = plain()
    for arguments, text in [
        ({"group": "C8"}, "use D4 or a subgroup"),
        ({"how": "frame"}, "must be one of"),
        ({"outputs": ["image"]}, "one layout for each"),
    ]:
        with pytest.raises(ValueError, match=text):
            ke.symmetrize(stock, **arguments)
    first = keras.Sequential([keras.Input((3, 8, 8)), layers.UpSampling2D(data_format="channels_first")])
    with pytest.raises(ValueError, match="channels last"):
        ke.symmetrize(first, "D4")
    image = keras.Input((8, 12, 1))
    wide = keras.Model(image, layers.Flatten()(image))
    with pytest.raises(ValueError, match="pad the image to equal sizes"):
        ke.symmetrize(wide, "D4")
    assert ke.certify(ke.symmetrize(wide, "D2"), "D2").verdict == "exact"


def test_canonical_form_of_images_of_integers():
    """Orientations that score alike share an image, which integers by themselves would make zeros of."""
    image = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Conv2D(2, 3, activation="relu", bias_initializer="ones")(keras.layers.Rescaling(1 / 255)(image))
    stock = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    upright = ke.symmetrize(stock, "D4", how="canonical")
    assert ke.certify(upright, angles=0).verdict == "exact"
    gray = np.full((1, 8, 8, 1), 200, "uint8")
    for model in (upright, ke.fold(upright)):
        np.testing.assert_allclose(model(gray), stock(gray), rtol=1e-5)


def test_layouts_of_outputs_by_name():
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    vector, mask = layers.Dense(2)(layers.GlobalAveragePooling2D()(x)), layers.Conv2D(1, 1)(x)
    model = keras.Model(image, {"vector": vector, "mask": mask})
    moving = ke.symmetrize(model, "C4", outputs={"vector": "1x1", "mask": "image"})
    assert ke.certify(moving, angles=0, output_layout=["image", "1x1"]).verdict == "exact"
    with pytest.raises(ValueError, match=r"by the names \['mask', 'vector'\]"):
        ke.symmetrize(model, "C4", outputs={"vectors": "1x1", "mask": "image"})
    with pytest.raises(ValueError, match="as a list"):
        ke.symmetrize(keras.Model(image, [vector, mask]), "C4", outputs={"vector": "1x1", "mask": "image"})


@pytest.mark.parametrize("how", ["average", "canonical"])
@pytest.mark.parametrize(
    ("output", "layout", "said", "remedy"),
    [
        ("numbers", "regular", "rank 5, 8 entries on axis -2", "2xregular"),
        ("numbers", "3xregular", "must have 24 channels", "2xregular"),
        ("numbers", "regular_vector", "rank 5", "2xregular"),
        ("numbers", "positions", "among the channels", "2xregular"),
        ("numbers", "image", "must have rank 4", "2xregular"),
        ("map", "vectors", "a multiple of 2 channels", "image"),
        ("pairs", "vectors", "its pixels would stay where they are", "image"),
        ("map", "1x1", "must have 2 channels", "a field type of 3 channels"),
        ("map", "quotient(C2)", "rank 5, 4 entries", "image"),
    ],
)
def test_layouts_that_an_output_cannot_have_are_refused_with_one_that_it_can(output, layout, said, remedy, how):
    image = keras.Input((8, 8, 2))
    x = layers.Conv2D(4 if output == "pairs" else 3, 3, padding="same")(image)
    if output == "numbers":
        x = layers.Dense(16)(layers.Flatten()(x))
    model = keras.Model(image, x)
    with pytest.raises(ValueError) as caught:
        ke.symmetrize(model, "D4", how, outputs=layout)
    assert said in str(caught.value) and remedy in str(caught.value)
    if " " not in remedy:
        exact = ke.symmetrize(model, "D4", how, outputs=remedy)
        assert ke.certify(exact, "D4", output_layout=remedy, layers=False, samples=1).verdict == "exact"


SPELLINGS = ("invariant", "image", "vectors", "regular", "1x1", "1x1 + 1x0", "1x0+", "1x0-", "2x1", "1xregular")


@pytest.mark.parametrize("group", ["D1", "C4", "D4"])
def test_random_layouts_are_exact_or_refused_with_ones_that_are(group):
    """Spellings on numbers and maps of random channels, averaged or put upright."""
    symmetry, made = ke.groups.get(group), 0
    rng = np.random.default_rng(symmetry.order)
    for spelling in rng.choice(SPELLINGS, 5, replace=False).tolist():
        channels = int(rng.choice([1, 2, 3, 4, symmetry.order]))
        image = keras.Input((4,) * symmetry.dimension + (1,))
        convolution = layers.Conv2D if symmetry.dimension == 2 else layers.Conv3D
        x = convolution(channels, 3, padding="same")(image)
        if is_flat := rng.random() < 0.6:
            x = layers.Dense(channels)(layers.Flatten()(x))
        model, how = shake(keras.Model(image, x)), str(rng.choice(["average", "canonical"]))
        try:
            found, layout = ke.symmetrize(model, group, how, outputs=spelling), spelling
        except ValueError as error:  # not a spelling on this group, or none of the output
            known = "`outputs` must be layouts" not in str(error)
            layout = "invariant" if is_flat else "image"
            assert known or f'"{layout}"' in str(error)
            found = ke.symmetrize(model, group, how, outputs=layout)
        report = ke.certify(found, group, output_layout=layout, layers=False, samples=1)
        # What moves against the layout vanishes in the average, of which nothing is left to judge.
        assert report.verdict in ("exact", "vacuous"), (spelling, channels, how, str(report))
        made += report.verdict == "exact"
    assert made >= 2
