"""The long searches in chunks, their counts kept in a YAML file: may be stopped at any time and goes on where it was.

    python tests/laws/reliability.py tutorials/results/reliability.yaml [search ...]

Each chunk has a seed of its own, so that a count can be repeated: the file names the chunks in which something was
wrong, and the standard output says what. `keras-equivariant render` makes the page of it.
"""

import argparse
import datetime
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "export"), str(HERE.parents[1])]

import conversion_search  # noqa: E402
import integer_search  # noqa: E402
import keras  # noqa: E402
import layer_search  # noqa: E402
import linter_search  # noqa: E402
import numpy as np  # noqa: E402
import stock_search  # noqa: E402
import test_fold_search  # noqa: E402
import test_points_search  # noqa: E402
import test_prove  # noqa: E402
import yaml  # noqa: E402

import keras_equivariant as ke  # noqa: E402
from keras_equivariant import data  # noqa: E402

COMMAND = "python tests/laws/reliability.py tutorials/results/reliability.yaml"
PACKAGES = ("keras", "tensorflow", "numpy", "ai-edge-litert")
EXPORTED = {}  # by network: the folder of its files


def layers(seed):
    outcomes, found = layer_search.search(200, 10_000 + seed)
    wrong = [f"{o.kind}: {o.case}" for o in outcomes if o.kind in ("inexact", "false")]
    wrong += [f"remedy: {o.case}: {o.bad_remedies}" for o in outcomes if o.bad_remedies]
    return dict(found), wrong


def stock_layers(seed):
    wrong, found = stock_search.search(200, 10_000 + seed)
    return dict(found), [str(case) for case in wrong]


def networks(seed):
    found, wrong = linter_search.search(50, 10_000 + seed)
    return dict(found), [str(case) for case in wrong]


def conversions(seed):
    found, wrong = conversion_search.search(range(100_000 + 50 * seed, 100_050 + 50 * seed))
    return {**found, "converted": found["converted"] - len(wrong), "differing": len(wrong)}, [str(one) for one in wrong]


def folds(seed):
    keras.config.set_dtype_policy("float64")
    found, wrong = {"folded": 0, "unbuilt": 0, "refused": 0, "differing": 0}, []
    try:
        for one in range(100_000 + 50 * seed, 100_050 + 50 * seed):
            outcome, said = test_fold_search.tried(one, "float64")
            kind = "unbuilt" if outcome is None else "refused" if isinstance(outcome, str) else "folded"
            kind = "differing" if kind == "folded" and not outcome <= test_fold_search.TOLERANCE["float64"] else kind
            found[kind] += 1
            if kind in ("refused", "differing"):
                wrong.append(f"{kind}: seed {one}: {said}: {outcome}")
    finally:
        keras.config.set_dtype_policy("float32")
    return found, wrong


def clouds(seed):
    broken = test_points_search.search(range(100_000 + 50 * seed, 100_050 + 50 * seed))
    return {"kept": 50 - len(broken), "broken": len(broken)}, [str(case) for case in broken]


def integers(seed):
    found, wrong = integer_search.search(range(100_000 + 20 * seed, 100_020 + 20 * seed))
    proved = found.pop("proved", 0) - len(wrong)
    return {"proved": proved, "inexact": len(wrong), "refused": sum(found.values())}, [str(one) for one in wrong]


def int8_network(name):
    """(network, group): a trained preset, or random weights in a network like the packaged ones."""
    if name == "p4_cnn_rotated_mnist":
        return ke.from_preset(name), "C4"
    group = name.removeprefix("random_")
    keras.utils.set_random_seed(0)
    return test_prove.normalized_cnn(group, size=28), group


def int8(name, seed):
    """200 digits of MNIST's test set, at every element that the grid knows, on both sets of kernels."""
    model, group = int8_network(name)
    digits = data.load("mnist")
    if name not in EXPORTED:
        EXPORTED[name] = tempfile.TemporaryDirectory()
        samples = digits.x_train[:200].astype("float32")
        if name.startswith("random_"):
            samples = samples / 255
        ke.export(model, EXPORTED[name].name, ["tflite_int8"], representative_data=samples)
    (path,) = pathlib.Path(EXPORTED[name].name).glob("*.tflite")
    x = digits.x_test[200 * seed : 200 * seed + 200].astype("float32") / (255 if name.startswith("random_") else 1)
    found, wrong = {"same": 0, "differing": 0}, []
    for kernels in test_prove.KERNELS:
        expected = test_prove.answers(path, x, kernels)
        for element in ke.groups.get(group).grid_elements[1:]:
            moved = np.ascontiguousarray(ke.groups.act(x, group, element, "image"))
            differ = int((test_prove.answers(path, moved, kernels) != expected).any(axis=-1).sum())
            found["same"] += len(x) - differ
            found["differing"] += differ
            if differ:
                wrong.append(f"{differ} of digits {200 * seed} to {200 * seed + 199}, {kernels} kernels, {element}")
    return found, wrong


# By name: what is tried, in one chunk, how many chunks make the target, what is counted as wrong.
SEARCHES = {
    "layers": ("random layers x sizes x options", layers, 100),
    "networks": ("random networks, linter against measurement", networks, 40),
    "stock_layers": ("random Keras layers with windows, law against measurement", stock_layers, 20),
    "conversions": ("random stock networks made equivariant: exact, folded alike, on Z2 the original", conversions, 20),
    "folds": ("random models, folded against unfolded in float64", folds, 40),
    "clouds": ("random point clouds x groups x options", clouds, 60),
    "integers": ("random networks in int8, proofs against three runtimes", integers, 40),
    **{
        f"int8_{name}": (
            f"{name}: MNIST test digits x elements x kernels, int8 answers of rotated copies",
            lambda seed, name=name: int8(name, seed),
            50,
        )
        for name in ("p4_cnn_rotated_mnist", "random_D4", "random_C8")
    },
}


def origin():
    """What the counts were made with."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout
    return {
        "commit": commit.strip(),
        "date": datetime.date.today().isoformat(),
        "versions": {"python": platform.python_version(), **{p: importlib.metadata.version(p) for p in PACKAGES}},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


COLUMNS = {
    "search": "{label}",
    "tried": "{tried:,}",
    "accepted": "{accepted:,}",
    "of these inexact": "{inexact:,}",
    "refused": "{refused:,}",
    "refused though exact": "{refused_exact:,}",
    "of so many chunks done": "{chunks} of {of_chunks}",
}
# What the searches call their outcomes; the others are `unbuilt`.
KINDS = {
    **{kind: "accepted" for kind in ("accepted", "converted", "folded", "kept", "proved", "same")},
    **{kind: "inexact" for kind in ("inexact", "differing", "broken")},
    **{"refused": "refused", "false": "refused_exact"},
}


def add(numbers, found, wrong, seed, seconds):
    """One more chunk in the numbers of a search; what is inexact was accepted too, what is falsely refused refused."""
    for kind, count in found.items():
        name = KINDS.get(kind, "unbuilt")
        also = {"inexact": ["accepted"], "refused_exact": ["refused"]}.get(name, [])
        for key in (name, *also, *(["tried"] if name != "unbuilt" else [])):
            numbers[key] = numbers.get(key, 0) + count
    numbers["chunks"] = seed + 1
    numbers["seconds"] = round(numbers.get("seconds", 0) + seconds, 1)
    if wrong:
        numbers["chunks_with_findings"] = [*numbers.get("chunks_with_findings", []), seed]


def shared_by_all():
    """What the rows of a new file have in common; a row says itself by which commit it was made, and when."""
    shared = {"command": COMMAND, **origin(), "spec": "none", "parameters": "unknown", "data": "none"}
    return shared | {"seeds": "each chunk its own", "published": {"text": "–", "source": "none"}}


def header(shared):
    """The file without its rows."""
    return {
        "results": 1,
        "title": "Long random searches for broken laws",
        "about": "Random searches for what is inexact and not refused, in chunks. Accepted but inexact must not be; "
        "`folds` counts models that fold to another function as inexact, `int8` answers that differ in any bit.",
        "columns": [{"title": title, "show": show} for title, show in COLUMNS.items()],
        "shared": shared,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument(
        "searches", nargs="*", help=f"of {', '.join(SEARCHES)}; by default all, a chunk of each in turn"
    )
    arguments = parser.parse_args()
    names = arguments.searches or list(SEARCHES)
    content = yaml.safe_load(arguments.file.read_text()) if arguments.file.exists() else {}
    rows, shared = content.get("rows", {}), content.get("shared") or shared_by_all()
    while names:
        for name in list(names):
            what, chunk, chunks = SEARCHES[name]
            row = rows.setdefault(name, {"label": what})
            row |= {key: origin()[key] for key in ("commit", "date")}
            numbers = row.setdefault("numbers", {"inexact": 0})
            seed = numbers.get("chunks", 0)
            if seed >= chunks:
                names.remove(name)
                continue
            start = time.monotonic()
            found, wrong = chunk(seed)
            add(numbers, found, wrong, seed, time.monotonic() - start)
            numbers["of_chunks"] = chunks
            write(arguments.file, rows, shared)
            print(name, f"{seed + 1}/{chunks}", found, *wrong, sep="  ", flush=True)
            keras.backend.clear_session()


def write(path, rows, shared):
    """The file with these rows, in one step: a killed process leaves no half of it."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(
        yaml.safe_dump({**header(shared), "rows": rows}, sort_keys=False, width=118, allow_unicode=True)
    )
    temporary.replace(path)


if __name__ == "__main__":
    main()
