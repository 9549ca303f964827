"""Windows over one axis of space, and whether a symmetry of space keeps what they read.

Each window tells for a given size which pixel every output reads with which tap. A symmetry that sends axis `a` to axis
`b`, perhaps reversed, is kept where the window of `b` reads on the size of `a` what the window of `a` reads, perhaps
reversed. So strides, borders, dilation, paddings and windows that cover everything are one question; nothing here knows
which group asks it: `groups.grid.axis_moves` tells how the elements of a group move the axes.
"""

import dataclasses
import functools
import hashlib
import itertools
import math

import numpy as np

AXES = "DHW"
FAR = 1000  # sizes that differ by more are no advice
WEIGHTS = 2.0**30  # the largest of a filter; weights that differ by less than 1 count as equal


@dataclasses.dataclass(frozen=True)
class Sliding:
    """The window of a convolution or of a pooling along one axis.

    Args:
        kernel: number of taps.
        stride: step of the window.
        dilation: distance between taps.
        padding: `"valid"` or `"same"`.
        mode: what `"same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
        taps: whether taps differ from each other, as in a convolution; those of a pooling do not.
        low_pass: whether a blur that suits the stride comes before.
        even: whether the taps at the same distance from the middle are equal, in every kernel there is.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: str = "valid"
    mode: str = "zeros"
    taps: bool = True
    low_pass: bool = False
    even: bool = False

    differs = "along which the window differs"

    @property
    def extent(self):
        """Pixels from the first tap to the last."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def period(self):
        """Two large sizes that differ by this are treated alike."""
        return self.stride

    @property
    def label(self):
        """What else must agree on axes that are swapped."""
        return (self.stride,) if self.low_pass else ()

    def fits(self, size):
        """Whether an axis of this size has an output."""
        if self.padding == "valid":
            return size >= self.extent
        after = self.padded(size) - self.padded(size) // 2
        return size > 0 and after <= {"circular": size, "reflect": size - 1}.get(self.mode, after)

    def length(self, size):
        """Number of outputs."""
        covered = size if self.padding == "same" else size - self.extent + 1
        return -(-covered // self.stride)

    def padded(self, size):
        """Pixels that `padding="same"` adds on both sides together."""
        return max((self.length(size) - 1) * self.stride + self.extent - size, 0) if self.padding == "same" else 0

    def steps(self, size):
        """`[(size, length, rows)]`, where the rows are all (output, pixel, tap counted from the middle)."""
        outputs, taps = np.mgrid[: self.length(size), : self.kernel].reshape(2, -1)
        pixels = outputs * self.stride + taps * self.dilation - self.padded(size) // 2
        if self.mode == "circular":
            pixels = pixels % size
        elif self.mode == "reflect":
            pixels = size - 1 - abs(size - 1 - abs(pixels))
        elif self.mode == "replicate":
            pixels = pixels.clip(0, size - 1)
        inside = (pixels >= 0) & (pixels < size)
        middle = _labels(taps, self) * self.taps
        return [(size, self.length(size), np.stack([outputs, pixels, middle], axis=1)[inside])]

    def words(self):
        """The window in words."""
        return f"a window of {self.kernel} pixels with {_settings(self)}"

    def rule(self, names, size):
        """The sentence that says that the window is not symmetric on these axes."""
        known = "pixels" if size is None else f"{size} pixels"
        return f"{self.words()} does not cover the {known} of {names} symmetrically"


@dataclasses.dataclass(frozen=True)
class Antialiased:
    """The window of a pooling that slides by one pixel, and the blur behind it, which keeps every stride-th pixel.

    Args:
        kernel: number of pixels of the window.
        stride: step of the blur.
        padding: `"valid"` or `"same"`.
        linear: whether the pooling is a mean: it makes one filter with the blur, and different ones may be the same on
            small sizes, up to a factor, which cancels where axes are exchanged.
    """

    kernel: int
    stride: int = 1
    padding: str = "valid"
    linear: bool = False

    dilation = 1
    label = ()
    differs = Sliding.differs

    @property
    def extent(self):
        return self.kernel

    @property
    def period(self):
        return self.stride

    @property
    def even(self):
        """A filter's weights stay what they are on the reversed axis."""
        return self.linear

    @property
    def _pooling(self):
        return Sliding(self.kernel, padding=self.padding, taps=False)

    def fits(self, size):
        return self._pooling.fits(size)

    def steps(self, size):
        pooled = self._pooling.length(size)
        blur = Sliding(blur_size(pooled, self.stride), self.stride, padding="same")
        found = [*self._pooling.steps(size), *blur.steps(pooled)]
        return [_composed(found, blur.kernel)] if self.linear else found

    def words(self):
        return f"an antialiased window of {self.kernel} pixels with {_settings(self)}"

    rule = Sliding.rule


def _composed(steps, blur):
    """The step of a mean and a binomial blur in one, its weights, as integers relative to the largest, for taps."""
    (size, pooled, mean), (_, length, rows) = steps
    weights = np.array([math.comb(blur - 1, i) / 2 ** (blur - 1) for i in range(blur)])
    filters = np.zeros((pooled, size))
    filters[mean[:, 0], mean[:, 1]] = 1.0
    filters /= filters.sum(axis=1, keepdims=True)
    blurred = np.zeros((length, pooled))
    blurred[rows[:, 0], rows[:, 1]] = weights[(rows[:, 2] + blur - 1) // 2]
    filters = blurred @ filters
    outputs, pixels = np.nonzero(filters)
    relative = np.rint(filters[outputs, pixels] / filters.max() * WEIGHTS)
    return size, length, np.stack([outputs, pixels, relative.astype(np.int64)], axis=1)


@dataclasses.dataclass(frozen=True)
class Spreading:
    """The window of a transposed convolution along one axis: every pixel spreads over the outputs.

    Args:
        kernel, stride, dilation, padding, even: those of the convolution.
        output_padding: as in Keras; None for the default.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: str = "valid"
    output_padding: int | None = None
    even: bool = False

    period = 1
    label = ()
    differs = Sliding.differs

    @property
    def extent(self):
        return (self.kernel - 1) * self.dilation + 1

    def length(self, size):
        if self.output_padding is None:
            return size * self.stride + (max(self.extent - self.stride, 0) if self.padding == "valid" else 0)
        total = (size - 1) * self.stride + self.extent + self.output_padding
        return total if self.padding == "valid" else total - 2 * (self.extent // 2)

    def fits(self, size):
        return size > 0 and self.length(size) > 0

    def steps(self, size):
        length = self.length(size)
        crop = max((size - 1) * self.stride + self.extent - length, 0) // 2 if self.padding == "same" else 0
        pixels, taps = np.mgrid[:size, : self.kernel].reshape(2, -1)
        outputs = pixels * self.stride + taps * self.dilation - crop
        inside = (outputs >= 0) & (outputs < length)
        return [(size, length, np.stack([outputs, pixels, _labels(taps, self)], axis=1)[inside])]

    def words(self):
        return f"a window of {self.kernel} pixels with {_settings(self)}"

    def rule(self, names, size):
        return f"{self.words()} treats the two ends of {names} differently"


@dataclasses.dataclass(frozen=True)
class Border:
    """Pixels that are added at the two ends of an axis; cropped where negative."""

    low: int = 0
    high: int = 0

    period = 1
    label = ()
    differs = "along which the border differs"

    @property
    def extent(self):
        return max(0, -self.low) + max(0, -self.high) + 1

    def fits(self, size):
        return size + self.low + self.high > 0

    def steps(self, size):
        pixels = np.arange(max(0, -self.low), size - max(0, -self.high))
        return [(size, size + self.low + self.high, np.stack([pixels + self.low, pixels, 0 * pixels], axis=1))]

    def rule(self, names, size):
        return f"{names} must be treated alike at both ends"


@dataclasses.dataclass(frozen=True)
class Scaling:
    """An axis that is enlarged by an integer factor, every pixel in the same way."""

    factor: int = 1

    extent = period = 1
    label = ()
    differs = "that grow by different factors"

    def fits(self, size):
        return size > 0

    def steps(self, size):
        outputs = np.arange(size * self.factor)
        return [(size, size * self.factor, np.stack([outputs, outputs // self.factor, 0 * outputs], axis=1))]

    def rule(self, names, size):
        return f"{names} must be enlarged alike"


def _labels(taps, window):
    """How taps are told apart: by their place about the middle, or by their distance from it."""
    labels = 2 * taps - window.kernel + 1
    return abs(labels) if window.even else labels


def blur_size(size, stride):
    """Taps of the shortest binomial blur, from 3, that covers an axis symmetrically keeping every stride-th pixel."""
    rest = (size - 1) % stride
    least = max(3, rest + 1)
    return least + (least - 1 - rest) % 2


@functools.lru_cache(maxsize=4096)
def seen(window, size, reversed_=False):
    """What a window reads on an axis of this size, as a key that can be compared; of the reversed axis if wanted."""
    key = [window.label if size > 1 else ()]  # a single pixel is only scaled, whichever axis does it
    for before, after, rows in window.steps(size):
        if reversed_:
            rows = np.array([after - 1, before - 1, 0]) + rows * [-1, -1, 1 if getattr(window, "even", False) else -1]
        rows = rows[np.lexsort(rows.T)]
        digest = hashlib.blake2b(np.ascontiguousarray(rows, dtype=np.int64).tobytes(), digest_size=16).digest()
        key.append((after, digest, len(rows) > 0))
    return tuple(key)


def is_symmetric(window, size):
    """Whether the window reads both ends of an axis of this size alike."""
    return window.fits(size) and seen(window, size) == seen(window, size, True)


def lost(windows, sizes, moves):
    """What the elements of a group break: a set of (axis, axis that it is sent to, whether reversed); empty if nothing.

    Args:
        windows: one per axis of space.
        sizes: of the input, one per axis; None where unknown counts as kept if any size keeps it.
        moves: of `groups.grid.axis_moves`: for each element and each axis (axis that it is sent to, whether reversed).
    """
    broken = set()
    for element in moves:
        failed = {
            (axis, target, flip)
            for axis, (target, flip) in enumerate(element)
            if not _kept(windows[axis], windows[target], sizes[axis], flip)
        }
        if failed and not (None not in sizes and _nothing_read(windows, sizes, element)):
            broken |= failed
    return broken


def _kept(window, target, size, flip):
    if size is None:
        return any(_kept(window, target, n, flip) for n in _large(window, target))
    if not (window.fits(size) and target.fits(size)):
        return False
    return seen(window, size, flip) == seen(target, size)


def _nothing_read(windows, sizes, element):
    """Whether no output reads any pixel, before and after, so that all of them are alike."""
    pairs = [(windows[axis], windows[target], sizes[axis]) for axis, (target, _) in enumerate(element)]
    if not all(a.fits(n) and b.fits(n) for a, b, n in pairs):
        return False
    found = [(seen(a, n), seen(b, n)) for a, b, n in pairs]
    same = all([step[0] for step in a[1:]] == [step[0] for step in b[1:]] for a, b in found)
    return same and not all(a[1][2] for a, _ in found) and not all(b[1][2] for _, b in found)


def _large(*windows):
    """As many sizes as the windows can tell apart, far from where anything special happens."""
    period = math.lcm(*(window.period for window in windows))
    start = period * (2 + 4 * max(window.extent for window in windows))
    return range(start, start + period)


def conditions(windows, sizes, moves):
    """For each axis of unknown size which sizes are right, where not all are: `{axis: (remainders, period)}`."""
    found = {}
    for axis, size in enumerate(sizes):
        ways = sorted({element[axis] for element in moves})
        if size is not None or not ways:
            continue
        large = _large(windows[axis], *(windows[target] for target, _ in ways))
        right = [n % len(large) for n in large if _keeps(windows, axis, n, ways)]
        if right and len(right) < len(large):
            found[axis] = (tuple(sorted(right)), len(large))
    return found


def right_sizes(windows, axis, size, moves, count=2):
    """The sizes nearest to this one on which an axis is treated symmetrically, at most `count`, ascending."""
    ways = sorted({element[axis] for element in moves})
    reach = min(max(4 * len(_large(window)) + window.extent for window in windows), FAR)
    near = itertools.chain([size], *((size - step, size + step) for step in range(1, reach + 1)))
    good = (n for n in near if n > 0 and _keeps(windows, axis, n, ways))
    return sorted(itertools.islice(good, count))


def _keeps(windows, axis, size, ways):
    return all(_kept(windows[axis], windows[target], size, flip) for target, flip in ways)


def _settings(window):
    """Strides, dilation and paddings as they are written."""
    named = [("dilation_rate", window.dilation, 1), ("output_padding", getattr(window, "output_padding", None), None)]
    other = [f"{name}={value}" for name, value, usual in named if value != usual]
    return ", ".join([f"strides={window.stride}", *other, f'padding="{window.padding}"'])
