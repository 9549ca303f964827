"""Windows that treat all sides alike in place of those that do not, with outputs of the same size."""

import math

from keras_equivariant.groups import grid
from keras_equivariant.ops import windows as _windows
from keras_equivariant.ops.windows import Border, Scaling, Sliding, Spreading
from keras_equivariant.stock import resizing

_FREE = 64  # stands for an unknown size, of which only divisibility by powers of two is assumed


class Exact:
    """The search on one group.

    Args:
        group: a group that moves the pixel grid.
        search: whether to look for other windows than the given ones.
    """

    def __init__(self, group, search=True):
        self.search = search
        self.moves = grid.axis_moves(group)

    def keeps(self, some_windows, sizes):
        """Whether windows, one per axis of space, treat all sides of an input of these sizes alike."""
        sizes = tuple(_FREE if size is None else size for size in sizes)
        fit = all(window.fits(size) for window, size in zip(some_windows, sizes, strict=True))
        return fit and not _windows.lost(tuple(some_windows), sizes, self.moves)

    def sliding(self, layer, sizes, before, after, span, taps):
        """Arguments for the layer in place of its own: `{}` if those will do, None where nothing does.

        Args:
            layer: a stock convolution or pooling.
            sizes: of its input in the new network.
            before, after: sizes of input and output in the original.
            span: `"kernel_size"` or `"pool_size"`.
            taps: whether the window is that of a convolution.
        """
        dilation = getattr(layer, "dilation_rate", (1,) * len(sizes))
        strides, padding, given = layer.strides, layer.padding, tuple(getattr(layer, span))
        free = [_FREE if size is None else size for size in sizes]
        wanted = [
            Sliding(k, s, d, padding).length(_FREE if old is None else old) if new is None else new
            for k, s, d, old, new in zip(given, strides, dilation, before, after, strict=True)
        ]
        if not self.search and self.fits_shape(given):
            row = [Sliding(k, s, d, padding, taps=taps) for k, s, d in zip(given, strides, dilation, strict=True)]
            return {} if self.keeps(row, free) else None
        for kernel in self._kernels(given, strides, dilation, padding, free, wanted):
            row = [Sliding(k, s, d, padding, taps=taps) for k, s, d in zip(kernel, strides, dilation, strict=True)]
            right = self.keeps(row, free) and [w.length(n) for w, n in zip(row, free, strict=True)] == wanted
            if right and (not taps or self.fits_shape(kernel)):
                return {} if kernel == given else {span: kernel}
        return None

    def fits_shape(self, kernel):
        """Whether the group maps a kernel of this shape onto itself."""
        return all(kernel[axis] == kernel[target] for element in self.moves for axis, (target, _) in enumerate(element))

    def _kernels(self, given, strides, dilation, padding, sizes, wanted):
        yield given
        if padding == "valid":
            extents = [n - (m - 1) * s for n, m, s in zip(sizes, wanted, strides, strict=True)]
            fits = all(e > 0 and (e - 1) % d == 0 for e, d in zip(extents, dilation, strict=True))
            if fits:
                yield tuple((e - 1) // d + 1 for e, d in zip(extents, dilation, strict=True))
        whole = tuple(max(given) for _ in given)
        for base in (given, whole):
            for step in (0, 1, -1, 2):
                kernel = tuple(k + step for k in base)
                if min(kernel) > 0:
                    yield kernel
            # Axes of other sizes may each need their own.
            yield tuple(k + (1 - k % 2) * (s == 1) for k, s in zip(base, strides, strict=True))

    def spreading(self, layer, sizes, before, after):
        """As `sliding`, for a transposed convolution."""
        given, strides, padding = tuple(layer.kernel_size), layer.strides, layer.padding
        dilation = layer.dilation_rate
        free = [_FREE if size is None else size for size in sizes]
        added = layer.output_padding
        added = (added,) * len(sizes) if added is None or isinstance(added, int) else tuple(added)
        none = (None,) * len(sizes)
        wanted = [
            Spreading(k, s, d, padding, p).length(_FREE if old is None else old) if new is None else new
            for k, s, d, p, old, new in zip(given, strides, dilation, added, before, after, strict=True)
        ]
        others = [(tuple(k + step for k in given), extra) for extra in (added, none) for step in (0, 1, -1, 2)]
        for kernel, extra in [(given, added), *(others if self.search else ())]:
            if min(kernel) < 1:
                continue
            row = [Spreading(*one, padding, p) for *one, p in zip(kernel, strides, dilation, extra, strict=True)]
            right = self.keeps(row, free) and [w.length(n) for w, n in zip(row, free, strict=True)] == wanted
            if right and self.fits_shape(kernel):
                change = {} if kernel == given else {"kernel_size": kernel}
                return change if extra == added else {**change, "output_padding": None}
        return None

    def border(self, given, sizes, after):
        """Pixels to add at the two ends of each axis, cropped where negative; None where one end would get more.

        Args:
            given: the original's, one pair per axis.
            sizes: of the input in the new network.
            after: sizes behind it in the original.
        """
        if self.keeps([Border(*pair) for pair in given], sizes):
            return tuple(given)
        if not self.search:
            return None
        sides = []
        for (low, high), size, wanted in zip(given, sizes, after, strict=True):
            change = low + high if None in (size, wanted) else wanted - size
            if change < 0 and change % 2:
                return None
            sides.append((math.ceil(change / 2),) * 2)
        return tuple(sides) if self.keeps([Border(*pair) for pair in sides], sizes) else None

    def resizing(self, layer, sizes):
        """Whether images may be cut and resampled as a stock layer or operation does."""
        return all(self.keeps(*step) for step in resizing.steps(layer, sizes))

    def scaling(self, factors, sizes):
        """Whether axes may grow by these factors."""
        return self.keeps([Scaling(factor) for factor in factors], sizes)
