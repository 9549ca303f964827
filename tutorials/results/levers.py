"""What makes a network trained upright know rotated images: one option at a time, measured into levers.yaml.

    python tutorials/results/levers.py [name ...]

Each network is trained on the upright digits of `ke.data.load("digits")` and tested on images rotated to 24 angles; its
Lie derivative and the error of its logits between the rotations of the grid are measured before and after training. In
space: voxels of generated shapes, tested over random rotations. Rows are kept as they are done; names do some again.
"""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.simplefilter("ignore")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import yaml  # noqa: E402

import keras_equivariant as ke  # noqa: E402
from keras_equivariant.compiler import load_spec  # noqa: E402
from keras_equivariant.data.rotation import rotate_images, rotate_volumes  # noqa: E402
from keras_equivariant.equivariance.lie_penalty import with_lie_penalty  # noqa: E402
from keras_equivariant.training.evaluation import accuracy  # noqa: E402

FILE = pathlib.Path(__file__).with_suffix(".yaml")
SEED, BATCH, ROTATIONS = 0, 32, 24
EPOCHS, TEST = {"digits": 6, "shapes": 40}, {"digits": 150, "shapes": 60}
ROUGH = {"frequency_cutoff": "nyquist"}
PLANE, SPACE = {"filters": 4}, {"size": 16, "classes": 6}
# By name: what is changed, the spec, its parameters, arguments of all its SteerableConv layers, the penalty's weight.
ROWS = {
    "rough": (
        "`so2_irreps`, nyquist, frequency 3, not antialiased",
        "so2_irreps",
        {**PLANE, "frequency": 3, "antialias": False},
        ROUGH,
        0.0,
    ),
    "rough_penalty": (
        "the same, `lie_derivative_penalty: 0.02`",
        "so2_irreps",
        {**PLANE, "frequency": 3, "antialias": False},
        ROUGH,
        0.02,
    ),
    "rough_antialias": ("nyquist, frequency 3, antialiased", "so2_irreps", {**PLANE, "frequency": 3}, ROUGH, 0.0),
    "no_antialias": (
        "default band limit, frequency 2, not antialiased",
        "so2_irreps",
        {**PLANE, "antialias": False},
        {},
        0.0,
    ),
    "base": ("`so2_irreps` as packaged: antialiased too", "so2_irreps", PLANE, {}, 0.0),
    "penalty": ("as packaged, `lie_derivative_penalty: 0.02`", "so2_irreps", PLANE, {}, 0.02),
    "kernel_7": ("as packaged, `kernel_size: 7`", "so2_irreps", {**PLANE, "kernel_size": 7}, {}, 0.0),
    "fourier": ("as packaged, `nonlinearity: fourier`", "so2_irreps", {**PLANE, "nonlinearity": "fourier"}, {}, 0.0),
    "norm": ("as packaged, `nonlinearity: norm`", "so2_irreps", {**PLANE, "nonlinearity": "norm"}, {}, 0.0),
    "hnet": ("`hnet_rotated_mnist`", "hnet_rotated_mnist", {"filters": 4}, {}, 0.0),
    "C4": ("`p4_cnn`, C4", "p4_cnn", {"filters": 4}, {}, 0.0),
    "C8": ("`e2_sfcnn`, C8", "e2_sfcnn", {"width": 0.15, "group": "C8"}, {}, 0.0),
    "C16": ("`e2_sfcnn`, C16", "e2_sfcnn", {"width": 0.1, "group": "C16"}, {}, 0.0),
    "plain": ("`z2_cnn`, no symmetry", "z2_cnn", {"filters": 8}, {}, 0.0),
    "SO3": ("in space: `se3_modelnet10`, SO(3)", "se3_modelnet10", {**SPACE, "width": 2}, {}, 0.0),
    "SO3_rough": ("in space: SO(3), nyquist", "se3_modelnet10", {**SPACE, "width": 2}, ROUGH, 0.0),
    "O": ("in space: `octahedral_resnet`, O", "octahedral_resnet", {**SPACE, "width": 12}, {}, 0.0),
}


def built(spec, params, conv, images):
    """The network, its spec's text given further arguments for every SteerableConv layer."""
    declared = load_spec(spec, **params)
    fitted = {key: value for key, value in {"classes": 10, "size": images.shape[1]}.items() if key in declared.params}
    text = yaml.safe_load(load_spec(spec, **fitted | params).to_yaml())
    keras.utils.set_random_seed(SEED)
    return ke.build_from_spec(_with(text, conv))


def _with(node, conv):
    if isinstance(node, list):
        return [_with(item, conv) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {**value, **conv}
        if key in ("SteerableConv2D", "SteerableConv3D") and isinstance(value, dict)
        else _with(value, conv)
        for key, value in node.items()
    }


def certified(model, images):
    """The Lie derivative, and by how much the logits differ between rotations by multiples of 45 degrees."""
    group, angles = ("SO2", 8) if images.ndim == 4 else ("SO3", 4)
    sample = images[:4].astype("float32")
    report = ke.certify(model, group, sample, law="invariance", angles=angles, layers=False, dtypes=["float32"])
    return {
        "lie_derivative": round(report.lie_derivative, 4),
        "largest_error_by_angle": round(max(angle.error for angle in report.angles), 4),
    }


def rotated(images):
    """The images at each of 24 angles; each volume rotated 24 times at random."""
    for i in range(ROTATIONS):
        if images.ndim == 4:
            yield rotate_images(images, 360 * i / ROTATIONS)
        else:
            yield rotate_volumes(images, seed=i)


def measured(name):
    _, spec, params, conv, weight = ROWS[name]
    data = ke.data.load("shapes" if params.items() >= SPACE.items() else "digits")
    count, test = len(data.x_train) // BATCH * BATCH, TEST[data.name]
    images = data.x_train.astype("float32")
    model = built(spec, params, conv, images)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt(images)
    before = certified(model, data.x_test)
    trained = with_lie_penalty(model, weight) if weight else model
    rate = keras.optimizers.schedules.CosineDecay(5e-3, EPOCHS[data.name] * count // BATCH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)
    order, times = np.random.default_rng(SEED).permutation(len(images))[:count], []
    for _ in range(EPOCHS[data.name]):
        start = time.process_time()
        trained.fit(images[order], data.y_train[order], batch_size=BATCH, epochs=1, verbose=0)
        times.append(time.process_time() - start)
    labels = data.y_test[:test]
    upright = 100 * accuracy(model, data.x_test[:test], labels)
    percent = [100 * accuracy(model, x, labels) for x in rotated(data.x_test[:test])]
    after = certified(model, data.x_test)
    return {
        "parameters": model.count_params(),
        "lie_derivative_before": before["lie_derivative"],
        "lie_derivative_after": after["lie_derivative"],
        "error_after": after["largest_error_by_angle"],
        "seconds_an_epoch": round(float(np.median(times)), 2),
        "upright_percent": round(upright, 2),
        "mean_percent": round(float(np.mean(percent)), 2),
        "worst_percent": round(min(percent), 2),
        "percent_by_rotation": [round(value, 2) for value in percent],
    }


COLUMNS = {
    "network": "{label}",
    "parameters": "{parameters:,}",
    "upright": "{upright_percent:.1f} %",
    "mean of 24 rotations": "{mean_percent:.1f} %",
    "worst": "{worst_percent:.1f} %",
    "Lie derivative before": "{lie_derivative_before:.2f}",
    "after training": "{lie_derivative_after:.2f}",
    "logits between the angles": "{error_after:.2f}",
    "CPU seconds an epoch": "{seconds_an_epoch:.1f}",
}


def origin():
    """By which code a row was made, and when."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {"commit": commit, "date": datetime.date.today().isoformat()}


def shared():
    """What all rows have in common, or begin with."""
    versions = {p: importlib.metadata.version(p) for p in ("keras", "tensorflow", "numpy")}
    return {
        "command": "python tutorials/results/levers.py",
        "seeds": [SEED],
        "versions": {"python": platform.python_version(), **versions},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared",
        **origin(),
        "spec": "none",
        "parameters": "unknown",
        "data": "none",
        "published": {"text": "–", "source": "none"},
    }


def main(names):
    rows = yaml.safe_load(FILE.read_text())["rows"] if FILE.exists() else {}
    for name in names or [name for name in ROWS if name not in rows]:
        rows[name] = {"label": ROWS[name][0], **origin(), "numbers": measured(name)}
        content = {
            "results": 1,
            "title": "Any angle after training upright: one option at a time",
            "about": "Trained on 1,297 upright digits of scikit-learn or, in space, on 360 shapes in one orientation: "
            f"{EPOCHS['digits']} and {EPOCHS['shapes']} epochs, batches of {BATCH}. "
            f"Tested on {TEST['digits']} digits at 24 angles, {TEST['shapes']} shapes in 24 random rotations of each. "
            "Small and short: for the order of the levers, not for their best.",
            "columns": [{"title": title, "show": show} for title, show in COLUMNS.items()],
            "shared": shared(),
            "rows": rows,
        }
        FILE.write_text(yaml.safe_dump(content, sort_keys=False, width=118, allow_unicode=True))
        print(name, rows[name], flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    main(sys.argv[1:])
