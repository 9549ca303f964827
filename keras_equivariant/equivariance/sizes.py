"""Certificates of models that take any size: sizes of both parities are tested, for windows may suit only one."""

import dataclasses
import warnings

from keras_equivariant.equivariance.report import APPROXIMATE, BROKEN, EXACT
from keras_equivariant.utils.text import number

_BY_SEVERITY = (EXACT, APPROXIMATE, BROKEN)


def on_both_parities(certify_at, size):
    """The report at the worse of two neighboring sizes, with a note on both.

    Args:
        certify_at: from a size, and options of `certify`, to its Report.
        size: the first of the two.

    Raises:
        ValueError: where a strict layer refuses both sizes.
    """
    found, refused = {}, {}
    for tested in (size, size + 1):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*its exact symmetry")  # said when the model was built
                found[tested] = certify_at(tested) if not found else certify_at(tested, angles=0, layers=False)
        except ValueError as error:
            if "loses its exact symmetry" not in str(error):
                raise
            refused[tested] = error
    if not found:
        raise refused[size]
    worst = max(found, key=lambda tested: _severity(found[tested]))
    report = found[worst]
    if worst != next(iter(found)):
        report = certify_at(worst)
    notes = [
        f"tested at {tested}: {one.verdict}, largest error {number(one.max_error)}" for tested, one in found.items()
    ]
    notes += [f"at {tested} a strict layer refuses its input" for tested in refused]
    return dataclasses.replace(report, notes=(*report.notes, "the model takes any size; " + "; ".join(notes)))


def _severity(report):
    return _BY_SEVERITY.index(report.verdict) if report.verdict in _BY_SEVERITY else -1
