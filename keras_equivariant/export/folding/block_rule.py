"""When a 1x1 group convolution is quicker in blocks than dense: a measured rule for each runtime."""

import dataclasses

PIXELS = 1024  # where the size of an image is open


@dataclasses.dataclass(frozen=True)
class BlockRule:
    """Blocks pay where the multiply-adds that they save outweigh the numbers that their additions move.

        (|G|^2 - products) C F pixels  >  per_number * numbers * pixels + per_operation * operations

    with the transform as additions, `kernels.FastFourier`, on C fields and back to F.

    Args:
        per_number: multiply-adds of a dense 1x1 convolution that take as long as one number that is added or copied.
        per_operation: the same for one operation of the graph, whatever its size.
    """

    per_number: float
    per_operation: float

    def pays(self, fourier, fields, filters, pixels):
        """Whether blocks are expected to be quicker, for a FastFourier."""
        saved = (fourier.order**2 - fourier.products) * fields * filters * (pixels or PIXELS)
        numbers, operations = moved(fourier, fields, filters)
        return saved > self.per_number * numbers * (pixels or PIXELS) + self.per_operation * operations


def moved(fourier, fields, filters):
    """Numbers at one pixel that additions, cuts and joins write, and how many operations the blocks are."""
    inside = len(fourier.forward.steps) + fourier.order + fourier.coefficients
    outside = len(fourier.inverse.steps) + fourier.order + fourier.coefficients
    convolutions = sum(block.rows * (3 if block.dim > 1 else 1) for block in fourier.blocks)
    operations = len(fourier.forward.steps) + len(fourier.inverse.steps) + convolutions + 2
    return inside * fields + outside * filters, operations


# Fitted by tests/benchmarks/test_pointwise_blocks.py, batch 1, two cores with AVX-512 (TensorFlow on both, else one
# thread), TensorFlow 2.21. Blocks were quicker from: TFLite 32 fields of D4, 16 of O; ONNX Runtime 64 and 32;
# TensorFlow 128 and 32; OpenVINO, which fuses no additions, nowhere up to 128 and 32.
TFLITE = BlockRule(per_number=18.0, per_operation=1e4)
ONNX = BlockRule(per_number=20.0, per_operation=8e4)
TENSORFLOW = BlockRule(per_number=45.0, per_operation=1e5)
OPENVINO = BlockRule(per_number=170.0, per_operation=3e5)
