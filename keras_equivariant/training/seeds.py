"""Runs that differ in their seed alone: one after the other, and their mean with its deviation."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from keras_equivariant.training.compare import compare_runs
from keras_equivariant.training.run_folder import CONFIG, RunFolder, write_json
from keras_equivariant.training.summaries import together

if TYPE_CHECKING:
    from keras_equivariant.training.results import TrainResult

log = logging.getLogger("keras_equivariant.training")


@dataclass(frozen=True)
class SeedResults:
    """What several runs found that differ in their seed.

    Attributes:
        run_dir: The folder with a folder `seed0`, `seed1`, … for each run.
        results: The `TrainResult` of each.
        summary: What summary.json holds: each number as its mean over the runs, and beside it `…_deviation`, the
            standard deviation of a run (n - 1 in the denominator).
        comparison: The `SeedResults` of the network that it was compared with, or None.
    """

    run_dir: Path
    results: tuple[TrainResult, ...]
    summary: dict
    comparison: SeedResults | None = None

    def __str__(self):
        others = [self.comparison.run_dir] if self.comparison else []
        return compare_runs([self.run_dir, *others])


def train_seeds(train, seeds, arguments, command):
    """Call `train` once for each seed, each in a folder of its own, and write what they found together.

    Args:
        train: function of the arguments that gives a `TrainResult`.
        seeds: how many.
        arguments: dict of its arguments; `seed` is the first one, `run_dir` the folder of all.
        command: that does the same, written into summary.json.

    Returns:
        `SeedResults`; None in a process that writes no files.

    Raises:
        ValueError: a built model, whose weights one run would hand on to the next, or no positive number.
        FileExistsError: the folder holds something else, or runs that are not to be continued.
    """
    if not isinstance(seeds, int) or seeds < 1:
        raise ValueError(f"`seeds` says how many runs there are. Received: seeds={seeds!r}. Use a positive integer.")
    models = [m for m in (arguments["spec"], arguments["compare"]) if isinstance(m, keras.Model)]
    if models:
        raise ValueError(
            f"Each seed begins with weights of its own. Received: seeds={seeds} with the built model "
            f'"{models[0].name}". Give a spec (ke.spec_of(model) writes one), or call train once for each model.'
        )
    first, folder = arguments["seed"], Path(arguments["run_dir"]).expanduser()
    if not arguments["resume"] and folder.is_dir() and not all(map(_is_no_run, folder.iterdir())):
        raise FileExistsError(
            f"Runs with several seeds need an empty folder. Received: {folder}, which holds other files. Continue its "
            "runs with --resume, or name another folder with --run-dir."
        )
    results = []
    for seed in range(first, first + seeds):
        there = folder / f"seed{seed}"
        log.info("Seed %d, %d of %d.", seed, seed - first + 1, seeds)
        again = arguments["resume"] and (there / "config.json").exists()
        results.append(train(**{**arguments, "seed": seed, "seeds": 1, "run_dir": there, "resume": again}))
    if results[0] is None:
        return None
    return _gathered(folder, results, command)


def _is_no_run(path):
    """Whether a path in the folder of all is hidden, or the folder of a seed whose run finished no epoch."""
    unused = path.name.startswith("seed") and (path / CONFIG).exists() and not RunFolder(path).has_epochs()
    return path.name.startswith(".") or unused


def _gathered(folder, results, command):
    """The `SeedResults` of finished runs, with their summary and their plot in the folder, and a table in the log."""
    summary = {"command": command, **together([result.summary for result in results])}
    found = SeedResults(folder, tuple(results), summary)
    if results[0].comparison is not None:
        others = tuple(result.comparison for result in results)
        summary = together([other.summary for other in others])
        found = replace(found, comparison=SeedResults(folder / "compare", others, summary))
    write_json(folder / "summary.json", found.summary)
    folders = [folder, folder / "compare"] if found.comparison else [folder]
    table = compare_runs(folders, folder / "scores_by_angle.png" if any(r.score_by_angle for r in results) else None)
    log.info("Over the seeds %s (mean ± deviation):\n%s", ", ".join(map(str, found.summary["seeds"])), table)
    return found
