"""How much of one thing the other networks of an experiment need to be as good: data saved at equal error."""

import math


def table(experiment):
    """The Markdown tables of the experiment's `equal` entries: what each other series needs at equal numbers.

    An entry is `{series: on D4, across: fraction, numbers: test_error_percent, title: training set,
    numbers_title: error, show: '{:.0%}', value: '{:.1f} %', better: lower}`.
    """
    return "\n\n".join(_table(experiment, entry) for entry in experiment.equal)


def _table(experiment, entry):
    curves = _curves(experiment, entry)
    own = curves.pop(entry["series"])
    curves = {name: curve for name, curve in curves.items() if len(curve) > 1}
    lines = [f"| {entry['series']}: {entry['title']} | {entry['numbers_title']} |"]
    lines[0] += "".join(f" {name} needs |" for name in curves)
    lines.append("|" + "---|" * (2 + len(curves)))
    for at, value in own:
        cells = [entry["show"].format(at), entry["value"].format(value)]
        for curve in curves.values():
            needed = reached(curve, value, entry.get("better", "lower"))
            cells.append(
                f"more than {entry['show'].format(curve[-1][0])}" if needed is None else _at_most(needed, entry)
            )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _at_most(needed, entry):
    at, at_the_first = needed
    return ("at most " if at_the_first else "") + entry["show"].format(at)


def _curves(experiment, entry):
    curves = {}
    for row in experiment.rows.values():
        numbers = row.numbers
        if entry["across"] in numbers and entry["numbers"] in numbers and "series" in row.fields:
            curves.setdefault(row.fields["series"], []).append((numbers[entry["across"]], numbers[entry["numbers"]]))
    return {name: sorted(curve) for name, curve in curves.items()}


def reached(curve, value, better):
    """Where a curve first is as good as a value, and whether that is its first point; None where it never is.

    Between two points it is straight across the logarithm.

    Args:
        curve: sorted pairs (across, number).
        value: to be reached.
        better: "lower" or "higher".
    """
    sign = 1.0 if better == "lower" else -1.0
    curve = [(at, sign * number) for at, number in curve]
    value = sign * value
    if curve[0][1] <= value:
        return curve[0][0], True
    for (left, high), (right, low) in zip(curve, curve[1:], strict=False):
        if low <= value < high:
            part = (high - value) / (high - low)
            return math.exp(math.log(left) + part * (math.log(right) - math.log(left))), False
    return None
