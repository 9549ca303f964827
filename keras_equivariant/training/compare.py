"""compare_runs(): what finished runs found, side by side."""

from pathlib import Path

from keras_equivariant.training.reporting import plot_by_angle
from keras_equivariant.training.run_folder import read_json
from keras_equivariant.training.tasks import TASKS
from keras_equivariant.utils.text import aligned

SCORES = dict(task.result for task in TASKS.values())


def compare_runs(folders, plot=None):
    """A table of finished runs, one line each, and a plot of their scores at every angle.

    Args:
        folders: run folders of `train`, all of classifiers or all of masks; a run is named after its folder.
        plot: PNG file to write.

    Returns:
        The table, a text.

    Raises:
        FileNotFoundError: a folder without the summary of a finished run.
        ValueError: no folders, two of one name, or runs of different tasks or data.

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
    runs = {Path(folder).name: _summary(Path(folder)) for folder in folders}
    if not runs or len(runs) < len(list(folders)):
        raise ValueError(
            f"Runs are named after their folders, which must differ. Received: {[str(f) for f in folders]}. Name each "
            "run's folder with --run-dir when it is trained."
        )
    kinds = {(_score(run), run["data"]) for run in runs.values()}
    if len(kinds) > 1:
        raise ValueError(
            "Only runs on the same data can be compared. Received: "
            + ", ".join(f"{name} on {run['data']}" for name, run in runs.items())
        )
    ((score, _),) = kinds
    if plot:
        description = next(iter(runs.values()))["data_description"]
        curves = {name: _curve(run, score) for name, run in runs.items()}
        plot_by_angle(curves, f"Rotated test images ({description})", SCORES[score], plot)
    head = ("run", "parameters", f"{SCORES[score]} %", "mean over angles", "worst angle", "certificate")
    rows = [
        (
            name,
            f"{run['parameters']:,}",
            *(f"{run[key]:.2f}" for key in (f"test_{score}_percent", f"mean_{score}_over_angles_percent")),
            f"{run[f'worst_{score}_over_angles_percent']:.2f}",
            f"{run['certificate']['group']}: {run['certificate']['verdict']}",
        )
        for name, run in runs.items()
    ]
    return "\n".join(aligned([head, *rows]))


def _summary(folder):
    path = folder / "summary.json"
    if not path.exists():
        raise FileNotFoundError(
            f"A run to compare must be finished. Received: {folder} without a summary.json. Continue it with --resume."
        )
    run = read_json(path, "parameters", "data", "data_description", "certificate")
    score = _score(run)
    numbers = [f"{kind}_{score}_over_angles_percent" for kind in ("mean", "worst")]
    run = read_json(path, f"test_{score}_percent", f"{score}_percent_by_angle", *numbers)
    if not isinstance(run["certificate"], dict) or not {"group", "verdict"} <= set(run["certificate"]):
        raise ValueError(
            f"A run's summary must hold its certificate. Received: {path} with {run['certificate']!r:.80}. Start a new "
            "run."
        )
    return run


def _score(run):
    return next((score for score in SCORES if f"{score}_percent_by_angle" in run), "error")


def _curve(run, score):
    return {float(angle): value / 100 for angle, value in run[f"{score}_percent_by_angle"].items()}
