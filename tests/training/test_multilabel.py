"""Several labels an image: scores against slow sums, a whole run from the command line, other data in its terms."""

import itertools
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import yaml
from PIL import Image

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.training.saved import load_trained
from keras_equivariant.training.tasks import TASKS
from keras_equivariant.training.tasks.multilabel import label_scores

NAMES = ("bright", "dark", "wide")

pytestmark = pytest.mark.tensorflow


def test_scores_count_pairs():
    """The area under the ROC curve is the share of pairs, one with the label and one without, in the right order."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(40, 3)).round(1), rng.integers(0, 2, (40, 3))
    labels[:, 2] = 1
    areas = []
    for column in range(2):
        yes, no = (logits[labels[:, column] == k, column] for k in (1, 0))
        areas.append(np.mean([(a > b) + 0.5 * (a == b) for a, b in itertools.product(yes, no)]))
    found = label_scores(logits, labels)
    assert found["auc"] == pytest.approx(np.mean(areas), abs=1e-12)
    right = (logits >= 0) == (labels == 1)
    assert found["label_accuracy"] == pytest.approx(right.mean())
    both = ((logits >= 0) & (labels == 1)).sum()
    assert found["label_f1"] == pytest.approx(2 * both / ((logits >= 0).sum() + labels.sum()))
    assert label_scores(logits[:, 2:], labels[:, 2:])["auc"] == 0.5


def test_the_balanced_loss_weighs_each_label_by_its_own_share():
    labels = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0]], "float32")
    nothing = keras.ops.zeros((4, 3))
    loss = TASKS["multilabel"].make_loss("balanced_crossentropy", labels)
    assert loss.frequency == [0.25, 0.5, 0.5], "a label that no image has weighs as it is"
    each = np.log(2) * (labels / (2 * np.array(loss.frequency)) + (1 - labels) / (2 - 2 * np.array(loss.frequency)))
    assert float(loss(labels, nothing)) == pytest.approx(each.mean(), rel=1e-6)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.frequency == loss.frequency


def pictures(folder, count=48):
    """Pictures with a bright square, a dark one, and a wide background, each there or not, and their lists."""
    rng = np.random.default_rng(1)
    lists = []
    for i in range(count):
        there, image = rng.random(3) < 0.5, np.full((8, 8), 120, "uint8")
        image[:, 4:] = 160 if there[2] else 120
        image[1:3, 1:3], image[5:7, 5:7] = 255 if there[0] else 120, 0 if there[1] else 120
        Image.fromarray(image).save(folder / f"{i}.png")
        lists.append("|".join(name for name, given in zip(NAMES, there, strict=True) if given) or NAMES[0])
    return lists


def written(path, header, rows):
    path.write_text("\n".join([f"file,{header}", *(f"{i}.png,{row}" for i, row in enumerate(rows))]))
    return str(path)


@pytest.mark.parametrize("loss", ["crossentropy", "balanced_crossentropy"])
def test_from_a_table_to_an_exported_network(tmp_path, capsys, caplog, loss):
    layers = [
        {"LiftingConv2D": {"filters": 4, "kernel_size": 3, "group": "C4"}},
        {"GroupPooling": "max"},
        "GlobalMaxPooling2D",
        {"Dense": "${classes}"},
    ]
    head = {"spec": 1, "name": "labels", "law": "invariance", "params": {"classes": 1, "size": 8, "channels": 1}}
    shape = {"input": {"shape": ["${size}", "${size}", "${channels}"]}, "layers": layers}
    recipe = {"epochs": 2, "batch_size": 8, "loss": loss}
    (tmp_path / "labels.yaml").write_text(yaml.safe_dump({**head, **shape, "training": recipe}))
    lists = pictures(tmp_path)
    data, run = written(tmp_path / "lists.csv", "findings", lists), tmp_path / "run"
    options = ["--run-dir", str(run), "--angle-step", "90", "--formats", "tflite", "--quiet"]
    assert main(["train", str(tmp_path / "labels.yaml"), "--data", data, "--validation", "8", *options]) == 0
    summary = json.loads((run / "summary.json").read_text())
    assert summary["mean_auc_over_angles_percent"] == summary["worst_auc_over_angles_percent"], "C4 is exact"
    assert summary["certificate"]["verdict"] == "exact" and summary["chance_auc_percent"] == 50
    assert "Area under the ROC curve" in (run / "report.html").read_text()
    capsys.readouterr()
    assert main(["predict", str(run), str(tmp_path / "0.png")]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in NAMES)

    trained = load_trained(run)
    columns = [",".join(str(int(name in row)) for name in NAMES[::-1]) for row in lists]
    assert main(["evaluate", str(run), "--data", written(tmp_path / "t.csv", ",".join(NAMES[::-1]), columns)]) == 0
    other = trained.in_own_terms(ke.data.load(tmp_path / "t.csv"))
    np.testing.assert_array_equal(other.y_train, trained.load_data().y_train)
    some = trained.in_own_terms(
        ke.data.load(written(tmp_path / "s.csv", "dark,bright", [f"{i % 2},1" for i in range(48)]))
    )
    assert some.target_names == NAMES and not some.y_test[:, 2].any() and "count as missing: wide" in caplog.text
    with pytest.raises(ValueError, match="Numbers are those that the network was trained on"):
        trained.in_own_terms(ke.data.load(written(tmp_path / "u.csv", "dark,light", ["0,1", "1,1"] * 24)))


def test_what_cannot_be_learned_is_named():
    x = np.zeros((6, 8, 8, 1), "float32")

    def checked(outputs, labels):
        inputs = keras.Input((8, 8, 1))
        model = keras.Model(inputs, keras.layers.Dense(outputs)(keras.layers.Flatten()(inputs)))
        network = SimpleNamespace(model=model, name="own", recipe=SimpleNamespace(loss=None))
        TASKS["multilabel"].check(network, ke.data.Dataset("set", "", x, labels, x, labels, task="multilabel"))

    with pytest.raises(ValueError, match="Labels to learn differ between images"):
        checked(2, np.tile([1, 0], (6, 1)))
    with pytest.raises(ValueError, match="an output for each.*with --set classes=2"):
        checked(3, np.arange(12).reshape(6, 2) % 2 * np.arange(6)[:, None].clip(0, 1))
    with pytest.raises(ValueError, match="rows of 0 and 1, one a row"):
        checked(2, np.arange(12).reshape(6, 2))
