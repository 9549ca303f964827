"""compare_runs(): what finished runs found, side by side."""

from pathlib import Path

from keras_equivariant.training.reporting import plot_by_angle
from keras_equivariant.training.summaries import DEVIATION, mean_and_deviation, summaries
from keras_equivariant.training.tasks import TASKS
from keras_equivariant.utils.provenance import UNKNOWN
from keras_equivariant.utils.text import aligned

IMAGES = {"training_images": "training images", "test_images": "test images"}  # shown where runs differ in them
OTHER_TEST = (
    "The runs were tested on unlike sets, so that their scores cannot be compared; evaluate RUN tests one on all test "
    "images."
)
OTHER_IMAGES = (
    "The runs were tested on as many, but other test images, so that their scores are compared only roughly; train "
    "them on the same data with the same --seed and --limit."
)
NEEDED = ("parameters", "data", "data_description", "certificate")


def compare_runs(folders, plot=None):
    """A table of finished runs, one line each, and a plot of their scores at every angle.

    Args:
        folders: run folders of `train`, all for one task; a run is named after its folder. A folder of runs with
            several seeds is one line: mean ± standard deviation. `runs/a/compare` is the network that the run `runs/a`
            was compared with, with each of its seeds. Where some were tested on fewer images than others, the table
            says so, as it does of as many other ones.
        plot: PNG file to write.

    Returns:
        The table, a text.

    Raises:
        FileNotFoundError: a folder without the summary of a finished run.
        ValueError: no folders, one of them twice, or runs of different tasks or data.

    Example:
        >>> import keras_equivariant as ke
        >>> from keras_equivariant.training import compare_runs
        >>> import tempfile
        >>> folder = f"{tempfile.mkdtemp()}/p4_cnn"
        >>> options = {"epochs": 1, "limit": 64, "angle_step": 90, "export_formats": (), "verbose": 0}
        >>> _ = ke.train("p4_cnn", data="digits", run_dir=folder, **options)
        >>> compare_runs([folder]).splitlines()[0].split()[:2]
        ['run', 'parameters']
    """
    runs = {name: _checked(folder) for name, folder in _named(folders).items()}
    kinds = {_task(run).result for found in runs.values() for run in found}
    data, tested = {run["data"] for found in runs.values() for run in found}, {*map(_tested, runs.values())}
    # Data that are called by several paths are the same where what was tested is.
    same = all(map(_is_path, data)) and len(tested) == 1 and None not in tested
    if len(kinds) > 1 or (len(data) > 1 and not same):
        raise ValueError(
            "Only runs on the same data can be compared. Received: "
            + ", ".join(f"{name} on {found[0]['data']}" for name, found in runs.items())
            + ". Train them on the same, or test each on the same with evaluate RUN --data."
        )
    first = next(iter(runs.values()))[0]
    task = _task(first)
    together = {name: mean_and_deviation(found) for name, found in runs.items()}
    if plot and task.by_angle_key() in first:
        curves = {name: _curve(run, task) for name, run in together.items()}
        deviations = {name: _curve(run, task, DEVIATION) for name, run in together.items() if len(runs[name]) > 1}
        title = f"Rotated test inputs ({first['data_description']})"
        plot_by_angle(
            curves, title, task.result[1], plot, task.unit or "units of the data", task.scale, deviations=deviations
        )
    keys, several = task.summary_keys(), any(len(found) > 1 for found in runs.values())
    head = ("run", "parameters", f"{task.result[1]} {task.unit}".rstrip(), "mean over angles", "worst angle")
    further = [key for key in task.further if any(key in run for run in together.values())]
    unlike = [(key, words) for key, words in IMAGES.items() if len({found[0].get(key) for found in runs.values()}) > 1]
    head += (*(task.further[key] for key in further), *(words for _, words in unlike))
    head += ("certificate", *(["seeds"] if several else []))
    rows = [
        (
            name,
            f"{found[0]['parameters']:,}",
            *(_number(together[name], key, task, len(found) > 1) for key in (*keys, *further)),
            *(_images(found[0], key) for key, _ in unlike),
            " ".join(dict.fromkeys(f"{run['certificate']['group']}: {run['certificate']['verdict']}" for run in found)),
            *([str(len(found))] if several else []),
        )
        for name, found in runs.items()
    ]
    lines = aligned([head, *rows])
    if "test_images" in dict(unlike):
        lines.append(OTHER_TEST)
    elif len({_tested(found) for found in runs.values()} - {None}) > 1:
        lines.append(OTHER_IMAGES)
    return "\n".join(lines)


def _is_path(data):
    return bool(Path(data).suffix) or len(Path(data).parts) > 1


def _tested(runs):
    """What tells the test sets of a run and all its seeds from others; None where it is not known."""
    found = {run.get("sha256_of_test", UNKNOWN) for run in runs}
    return None if UNKNOWN in found else frozenset(found)


def _named(folders):
    """`{name: folder}`; `compare`, and what two share, is named after the folder above it, too."""
    folders = list(map(Path, folders))
    found = {}
    for folder in folders:
        short = [other for other in folders if other.name == folder.name]
        found[f"{folder.parent.name}/{folder.name}" if len(short) > 1 or folder.name == "compare" else folder.name] = (
            folder
        )
    if not found or len(found) < len(folders):
        raise ValueError(
            f"Runs are named after their folders, which must differ. Received: {[str(f) for f in folders]}. Name each "
            "run's folder with --run-dir when it is trained."
        )
    return found


def _checked(folder):
    runs = summaries(folder)
    for run in runs:
        missing = [key for key in NEEDED if key not in run] if isinstance(run, dict) else ["an object"]
        task = None if missing else _task(run)
        if not missing:
            missing = [key for key in task.summary_keys()[:1] if key not in run]
        if missing:
            raise ValueError(
                f"A run's summary.json must be as `train` writes it. Received: {folder} without {', '.join(missing)}. "
                "Start a new run."
            )
        if not isinstance(run["certificate"], dict) or not {"group", "verdict"} <= set(run["certificate"]):
            raise ValueError(
                f"A run's summary must hold its certificate. Received: {folder} with {run['certificate']!r:.80}. Start "
                "a new run."
            )
    return runs


def _task(run):
    """The task whose score a summary holds."""
    return next((task for task in TASKS.values() if task.summary_keys()[0] in run), TASKS["classification"])


def _images(run, key):
    share = f" ({100 * run['fraction']:g} %)" if key == "training_images" and run.get("fraction") else ""
    return f"{run[key]:,}{share}" if key in run else "–"


def _number(run, key, task, several):
    """A score with two digits behind the point where it is in percent, else with four in all."""
    if key not in run:
        return "–"
    shape = ".2f" if task.scale == 100 else ".4g"
    return f"{run[key]:{shape}}" + (f" ± {run[key + DEVIATION]:{'.2f' if task.scale == 100 else '.2g'}}" * several)


def _curve(run, task, suffix=""):
    return {float(angle): value / task.scale for angle, value in run[task.by_angle_key() + suffix].items()}
