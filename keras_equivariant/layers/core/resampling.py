"""What the layers share whose arithmetic needs the sizes of space; not a layer of its own."""

from keras_equivariant.layers.core.window_pooling import PixelwiseLayer


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
