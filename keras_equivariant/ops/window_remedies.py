"""What to say where a window breaks a symmetry: the rule, and remedies that are tried before they are named."""

import dataclasses
import itertools

from keras_equivariant.ops import windows as _windows
from keras_equivariant.ops.windows import AXES

SPANS = ("kernel_size", "pool_size")


@dataclasses.dataclass(frozen=True)
class Remedy:
    """One change that makes a layer's windows symmetric.

    Attributes:
        text: in words.
        arguments: what to give the layer instead.
        sizes: of the input, one per axis of space; None for those it has.
        pool: width of an average pooling before the layer; None without.
    """

    text: str
    arguments: dict = dataclasses.field(default_factory=dict)
    sizes: tuple | None = None
    pool: int | None = None

    @property
    def is_size(self):
        """Whether another size, the same on all axes that need one, is all there is to it."""
        return self.text.startswith("size ")


@dataclasses.dataclass(frozen=True)
class Problem:
    """Why the windows of a layer break a symmetry.

    Attributes:
        rules: sentences, one for each window or argument that is to blame.
        remedies: `Remedy` objects, each exact by itself.
    """

    rules: tuple
    remedies: tuple

    def text(self, received):
        """All of it in one sentence, with what was received."""
        sizes = " or ".join(remedy.text.removeprefix("size ") for remedy in self.remedies if remedy.is_size)
        named = [f"size {sizes}"] if sizes else []
        named += [remedy.text for remedy in self.remedies if not remedy.is_size]
        remedy = f"; use {', or '.join(named)}" if named else ""
        return f"{'; '.join(self.rules)}. Received: {received}{remedy}"


def problem(make, arguments, sizes, moves, group):
    """The `Problem` of a layer's windows on these sizes, or None.

    Args:
        make: the windows, one per axis of space, of such arguments; ValueError where there are none.
        arguments: dict of the layer's own arguments; tuples have one entry per axis of space.
        sizes: of the input, one per axis of space; None where unknown.
        moves: of `groups.grid.axis_moves`.
        group: what to call the group.
    """
    windows = make(**arguments)
    broken = _windows.lost(windows, sizes, moves)
    if not broken:
        return None
    axes = sorted({axis for axis, _, _ in broken})
    remedies = list(_near(make, arguments, windows, sizes, moves, axes)) or list(_far(make, arguments, sizes, moves))
    remedies = list({remedy.text: remedy for remedy in remedies}.values())
    return Problem(tuple(_rules(arguments, windows, sizes, broken, group)), tuple(remedies))


def condition(make, arguments, sizes, moves):
    """On which sizes the windows are symmetric, where sizes are unknown and not all are right; else None."""
    found = _windows.conditions(make(**arguments), sizes, moves)
    texts = {}
    for axis, right in found.items():
        texts.setdefault(_sizes_in_words(*right), []).append(axis)
    named = [f"{text} of {axis_names(axes, len(sizes))}" for text, axes in texts.items()]
    return " and ".join(named) or None


def axis_names(axes, rank):
    """Letters of axes of space: `H and W`."""
    return " and ".join(", ".join(AXES[3 - rank + axis] for axis in axes).rsplit(", ", 1))


def _sizes_in_words(remainders, period):
    if period == 2:
        return "odd sizes" if remainders == (1,) else "even sizes"
    if remainders == (0,):
        return f"multiples of {period}"
    listed = " or ".join(map(str, remainders))
    return f"sizes that leave {listed} when divided by {period}"


def _rules(arguments, windows, sizes, broken, group):
    """A sentence for each window that is not symmetric, else for each argument that differs along swapped axes."""
    rank, uneven = len(sizes), {}
    for axis in sorted({axis for axis, target, _ in broken if windows[axis] == windows[target]}):
        uneven.setdefault((windows[axis], sizes[axis]), []).append(axis)
    for (window, size), axes in uneven.items():
        yield window.rule(axis_names(axes, rank), size)
    swapped = {axis for axis, target, _ in broken if windows[axis] != windows[target]}
    if swapped and not uneven:
        named = [f"{name}={value}" for name, value in arguments.items() if _differs(value)]
        yield f"{group} swaps axes {windows[0].differs}, " + ", ".join(named)


def _differs(value):
    return isinstance(value, tuple) and len(set(value)) > 1


def _near(make, arguments, windows, sizes, moves, broken):
    """Remedies that work and change one thing, the nearest first."""

    def works(change, sizes=sizes):
        try:
            return not _windows.lost(make(**{**arguments, **change}), sizes, moves)
        except ValueError:
            return False

    if not _swaps(windows, sizes, moves):
        yield from _other_sizes(windows, sizes, moves, broken)
    differing = {name: value for name, value in arguments.items() if _differs(value)}
    for pick in (max, min):
        change = {name: _whole(pick(value), len(sizes)) for name, value in differing.items()}
        if change and works(change):
            yield _remedy(change)
    span = next((name for name in SPANS if name in arguments), None)
    if arguments.get("output_padding") is not None and works({"output_padding": None}):
        yield _remedy({"output_padding": None})
    elif span:
        yield from _other_spans(arguments, span, sizes, broken, works)
    yield from _pooled(arguments, sizes, works)
    if "padding" in arguments:
        other = {"padding": {"valid": "same", "same": "valid"}[arguments["padding"]]}
        if arguments.get("padding_mode", "zeros") == "zeros" and works(other):
            yield _remedy(other)


def _far(make, arguments, sizes, moves):
    """One remedy that changes more: all axes alike, on sizes that this covers, or windows that slide by one pixel."""
    rank = len(sizes)
    span = next((name for name in SPANS if name in arguments), None)
    alike = {name: _whole(max(value), rank) for name, value in arguments.items() if _differs(value)}
    plain = {"strides": _whole(1, rank)} if "strides" in arguments else {}
    odd = {span: _whole(max(arguments[span]) | 1, rank)} if span else {}
    odd |= {"output_padding": None} if arguments.get("output_padding") is not None else {}
    for change in (alike, plain, {**alike, **plain}, {**alike, **plain, **odd}):
        try:
            windows = make(**{**arguments, **change})
        except ValueError:
            continue
        broken = sorted({axis for axis, _, _ in _windows.lost(windows, sizes, moves)})
        if change and not broken:
            return [_remedy(change)]
        for remedy in _other_sizes(windows, sizes, moves, broken) if change else ():
            return [Remedy(f"{_written(change)} on {remedy.text}", change, remedy.sizes)]
    return []


def _swaps(windows, sizes, moves):
    """Whether windows that differ are sent to each other and do not agree, which sizes would not change."""
    return any(windows[axis] != windows[target] for axis, target, _ in _windows.lost(windows, sizes, moves))


def _other_sizes(windows, sizes, moves, broken):
    known = [axis for axis in broken if sizes[axis] is not None]
    found = {axis: _windows.right_sizes(windows, axis, sizes[axis], moves) for axis in known}
    if not known or known != broken or not all(found.values()):
        return
    alike = len({(sizes[axis], tuple(found[axis])) for axis in known}) == 1
    for choice in itertools.zip_longest(*found.values()):
        if None in choice:
            continue
        changed = dict(zip(known, choice, strict=True))
        new = tuple(changed.get(axis, size) for axis, size in enumerate(sizes))
        if _windows.lost(windows, new, moves):
            continue
        each = [f"{size} of {axis_names([axis], len(sizes))}" for axis, size in changed.items()]
        yield Remedy(f"size {choice[0]}" if alike else "sizes " + " and ".join(each), {}, new)


def _other_spans(arguments, span, sizes, broken, works):
    """Windows a little longer or shorter."""
    value, stride = arguments[span], max(arguments["strides"])
    reach = 2 * stride if "output_padding" in arguments else 1
    steps = sorted((n for n in range(-reach, reach + 1) if n), key=lambda n: (abs(n), -n))
    near = [tuple(n + step if axis in broken else n for axis, n in enumerate(value)) for step in steps]
    near = [new for new in near if min(new) > 0]
    if span == "kernel_size" or arguments["strides"] != value:
        found = [{span: new} for new in near if works({span: new})]
    else:  # strides that are not given follow the window
        both = [(new, works({span: new}), works({span: new, "strides": new})) for new in near]
        found = [{span: new} for new, kept, follows in both if kept and follows]
        found += [{span: new, "strides": value} for new, kept, _ in both if kept]
        found += [{span: new, "strides": new} for new, _, follows in both if follows]
    yield from map(_remedy, found[:1])


def _pooled(arguments, sizes, works):
    """A convolution with strides becomes a pooling and one without."""
    strides = set(arguments.get("strides", ()))
    if "kernel_size" not in arguments or "output_padding" in arguments or len(strides) != 1 or None in sizes:
        return
    stride, rank = strides.pop(), len(sizes)
    if stride > 1 and not any(n % stride for n in sizes):
        if works({"strides": (1,) * rank}, tuple(n // stride for n in sizes)):
            text = f"AveragePooling{rank}D({stride}) before a stride-1 convolution"
            yield Remedy(text, {"strides": (1,) * rank}, None, stride)


def _whole(value, rank):
    return (value,) * rank


def _remedy(change):
    return Remedy(_written(change), change)


def _written(change):
    def value(one):
        if isinstance(one, str):
            return f'"{one}"'
        return str(one[0] if isinstance(one, tuple) and not _differs(one) else one)

    return ", ".join(f"{name}={value(one)}" for name, one in change.items())
