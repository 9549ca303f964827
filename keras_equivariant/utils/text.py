"""Words of messages and reports: the nearest right name, values shortened, numbers, aligned tables."""

import difflib
import math


def closest(name, known, cutoff=0.6):
    """The known name nearest to `name`, upper and lower case alike; None where none is as similar as `cutoff`."""
    known = list(dict.fromkeys(str(k) for k in known))
    lower = {k.lower(): k for k in reversed(known)}
    found = difflib.get_close_matches(str(name).lower(), lower, n=3, cutoff=cutoff)
    if not found:
        return None
    # Of equally near ones the first known: LiftingConv2D before LiftingConv3D.
    ratios = [difflib.SequenceMatcher(None, str(name).lower(), match).ratio() for match in found]
    near = [lower[match] for match, ratio in zip(found, ratios, strict=True) if ratio == max(ratios)]
    return min(near, key=known.index)


def nearest(name, known, otherwise=None):
    """A sentence that helps to find the right name: the nearest one, else `otherwise`, else those there are."""
    before, colon, behind = str(name).partition(":")
    if colon and behind and before in known:  # YAML reads it as one name
        return f'Write a space behind the colon, "{before}: {behind}".'
    near = closest(name, known)
    if near is not None:
        return f'Did you mean "{near}"?'
    if otherwise is not None:
        return otherwise
    known = list(dict.fromkeys(str(k) for k in known))
    if not known:
        return "There are none here."
    return f"Known: {', '.join(known[:12])}" + (", …" if len(known) > 12 else ".")


def shown(value, limit=60):
    """A value as an error message shows it."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def number(value):
    """Two digits, as errors are read; "-" where there is none, "undefined" for 0/0."""
    if value is None:
        return "-"
    return "undefined" if math.isnan(value) else "0" if value == 0 else f"{value:.2g}"


def share(part):
    """A part of 1 in percent; what is less than all never reads as all."""
    return "over 99.9%" if part < 1 and round(100 * part, 1) == 100 else f"{part:.1%}"


def aligned(rows):
    """Rows of equally many cells as lines with aligned columns."""
    rows = [tuple(map(str, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def table(header, rows):
    """A header, a rule and rows as aligned lines; columns with nothing in them are left out."""
    columns = [column for column in zip(header, *rows, strict=True) if any(str(cell) != "-" for cell in column[1:])]
    lines = aligned(zip(*columns, strict=True))
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]
