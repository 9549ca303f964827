"""A certificate in three sentences: the verdict, the largest error, and what happens between the grid's angles."""

import math

from keras_equivariant.utils.text import number

VERDICTS = {
    "exact": "The network keeps the law of {group} exactly: when its input moves, its output moves, or stays, as it "
    "must, up to rounding.",
    "approximate": "The network keeps the law of {group} for what its grid carries, and approximately for the rest, "
    "where images must be interpolated, points have few rotations each, or a lower precision rounds.",
    "broken": "The network breaks the law of {group}: when its input moves, its output does not move with it.",
}
OTHER = "Nothing was shown for {group}: {headline}."


def sentences(report):
    """Three sentences on a `Report`; one where there is none."""
    if report is None:
        return ["There is no certificate: no group moves the inputs of this network."]
    verdict = VERDICTS.get(report.verdict, OTHER).format(group=report.group, headline=report.headline)
    return [verdict, _largest(report), _between(report)]


def _largest(report):
    measured = [p for p in report.precisions if p.error is not None or p.interpolated_error is not None]
    if not measured:
        return "No error was measured."
    what = report.grid_group if report.grid_group and report.grid_error is not None else report.group
    return f"The largest relative error under {what} is {number(report.max_error)}, measured in {measured[0].dtype}."


def _between(report):
    measured = [angle for angle in report.angles if math.isfinite(angle.error)]
    worst = max(measured, key=lambda angle: angle.error, default=None)
    if report.continuous and worst:
        return (
            f"At every other angle the law holds to {number(worst.error)} at worst ({worst.degrees:g}°), interpolation "
            "of the images included."
        )
    if worst:
        return (
            f"Beyond the elements of the group nothing is promised: of {len(measured)} angles {worst.degrees:g}° is "
            f"the worst, where the answer is off by {number(worst.error)}, interpolation of the images included."
        )
    return "No angles between were measured: what the network takes rotates without interpolation, or not at all."
