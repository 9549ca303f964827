"""The summaries of finished runs: read, and those of several seeds as means with their deviations."""

import numpy as np

from keras_equivariant.training.run_folder import read_json

DEVIATION = "_deviation"
SAME = (
    "epochs",
    "batch_size",
    "parameters",
    "training_images",
    "fraction",
    "test_images",
)  # of all seeds, no measurements


def summaries(folder):
    """The summaries of a finished run, or of each of its runs with several seeds.

    `runs/a/compare` stands for the networks that the runs of `runs/a` were compared with.

    Raises:
        FileNotFoundError: a run that is not finished, or none at all.
        ValueError: a file that is no summary.
    """
    inside = "compare" if folder.name == "compare" and not folder.exists() else ""
    runs = [path / inside for path in by_seed(folder.parent if inside else folder)] or [folder]
    for run in runs:
        if not (run / "summary.json").exists():
            raise FileNotFoundError(
                f"A run to compare must be finished. Received: {run} without a summary.json. Continue it with --resume."
            )
    return [read_json(run / "summary.json") for run in runs]


def by_seed(folder):
    """The folders of the runs with several seeds that a folder holds, from the smallest one on.

    The folder's summary says which belong together: others may be left from a call with more seeds, or other settings.
    """
    found = {path.name.removeprefix("seed"): path for path in folder.glob("seed*") if path.is_dir()}
    found = {seed: path for seed, path in found.items() if seed.isdigit()}
    if found and (folder / "summary.json").exists():
        counted = set(map(str, read_json(folder / "summary.json").get("seeds", found)))
        found = {seed: path for seed, path in found.items() if seed in counted}
    return [found[seed] for seed in sorted(found, key=int)]


def together(runs):
    """One summary of several: what they share, the means of their numbers, and the deviations of these."""
    alike = {key for key in runs[0] if all(run.get(key) == runs[0][key] for run in runs)}
    shared = {key: value for key, value in runs[0].items() if key in SAME or (isinstance(value, str) and key in alike)}
    return {**shared, "seeds": [run["seed"] for run in runs], **mean_and_deviation(runs)}


def mean_and_deviation(runs):
    """The numbers of several summaries as `{key: mean, key_deviation: standard deviation}`, of each angle likewise."""
    found = {}
    for key, value in runs[0].items():
        if key in SAME or key == "seed" or any(key not in run for run in runs):
            continue
        if isinstance(value, dict) and key.endswith("_by_angle"):
            spread = {angle: _mean_and_deviation([run[key][angle] for run in runs]) for angle in value}
            found[key] = {angle: mean for angle, (mean, _) in spread.items()}
            found[key + DEVIATION] = {angle: deviation for angle, (_, deviation) in spread.items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[key], found[key + DEVIATION] = _mean_and_deviation([run[key] for run in runs])
    return found


def _mean_and_deviation(values):
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return tuple(float(f"{value:.6g}") for value in (np.mean(values), deviation))
