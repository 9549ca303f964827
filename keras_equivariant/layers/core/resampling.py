"""What the layers share whose arithmetic needs the sizes of space; not a layer of its own."""

from keras_equivariant.layers.core.window_pooling import PixelwiseLayer
from keras_equivariant.ops import resizing


class Resampling(PixelwiseLayer):
    """A pixelwise layer on known sizes that folds to itself; subclasses give `lengths(sizes)` and `compute(x)`."""

    def lengths(self, sizes):
        """Sizes of space after the layer."""
        raise NotImplementedError

    def sizes_after(self, sizes):
        return list(self.lengths(sizes))

    def build(self, input_shape):
        space = tuple(input_shape[1 : 1 + self.rank])
        if None in space:
            raise ValueError(
                f'{type(self).__name__} "{self.name}" needs a known size. Received: input_shape={tuple(input_shape)}; '
                "give the model a fixed input shape"
            )
        super().build(input_shape)

    def fold(self, input_shape):
        return [(self.compute, [])]


class SeparableResampling(Resampling):
    """Resampling by a matrix along each axis, where it is `linear`; subclasses give `matrix(size, length)`."""

    def matrix(self, size, length):
        """The weights of the pixels along an axis, `(length, size)`."""
        raise NotImplementedError

    def compute(self, x):
        sizes = x.shape[1:-1]
        return resizing.resample(x, [self.matrix(*pair) for pair in zip(sizes, self.lengths(sizes), strict=True)])

    def fold(self, input_shape):
        sizes = input_shape[1 : 1 + self.rank]
        lengths = self.lengths(sizes)
        swaps = any(target != axis for element in self.axis_moves() for axis, (target, _) in enumerate(element))
        if self.rank > 2 or not self.linear or not swaps or len(set(sizes)) > 1 or len(set(lengths)) > 1:
            return super().fold(input_shape)  # in space there are no integers to round
        return [(lambda x: resizing.resample_alike(x, self.matrix(sizes[0], lengths[0])), [])]
