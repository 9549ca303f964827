"""`train` on a set of several files, which stays on disk, does what it does on the same images in one file."""

import numpy as np
from tiny_training import SPEC, save_shapes

import keras_equivariant as ke
from keras_equivariant.data import Shards


def test_several_files_train_like_one(tmp_path, monkeypatch):
    with np.load(save_shapes(tmp_path / "one.npz", count=600)) as arrays:
        parts = dict(arrays)
    (tmp_path / "many").mkdir()
    for number, (start, stop) in enumerate(((0, 100), (100, 350), (350, 600))):
        train = {key: parts[key][start:stop] for key in ("x_train", "y_train")}
        test = {key: parts[key] for key in ("x_test", "y_test")} if number == 0 else {}
        np.savez(tmp_path / "many" / f"{number}.npz", **train, **test)
    counts, read = [], Shards.__getitem__
    monkeypatch.setattr(Shards, "__getitem__", lambda self, rows: counts.append(_count(rows)) or read(self, rows))
    spec = {**SPEC, "training": {**SPEC["training"], "epochs": 2, "optimizer": {"SGD": {"learning_rate": 0.05}}}}
    options = {"angle_step": 180, "export_formats": (), "verbose": 0, "validation": 10}
    one, many = (
        ke.train(spec, str(tmp_path / data), tmp_path / f"run{i}", **options)
        for i, data in enumerate(("one.npz", "many/*.npz"))
    )
    assert counts and max(counts) <= 250, "more than a batch was in memory"
    for key in ("loss", "accuracy", "val_loss"):
        np.testing.assert_allclose(many.history[key], one.history[key], rtol=1e-4)
    assert many.scores == one.scores and many.summary["training_images"] == 590


def _count(rows):
    return 0 if isinstance(rows, slice) else len(rows)
