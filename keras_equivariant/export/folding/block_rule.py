"""When a group convolution is quicker in blocks than dense: a measured rule for each runtime."""

import dataclasses

PIXELS = 1024  # where the size of an image is open


@dataclasses.dataclass(frozen=True)
class BlockRule:
    """Blocks pay where the multiply-adds that they save outweigh the numbers that their additions move.

        (|G|^2 - products) taps C F pixels  >  (per_number * numbers + per_cut * cuts) * pixels
                                               + per_operation * operations

    with the transform as additions, `kernels.FastFourier`, on taps * C fields and back to F.

    Args:
        per_number: multiply-adds of a dense 1x1 convolution that take as long as one number that is added or copied.
        per_cut: the same for one number that is cut out of the features for a window, or joined to others of it.
        per_operation: the same for one operation of the graph, whatever its size.
    """

    per_number: float
    per_cut: float
    per_operation: float

    def pays(self, fourier, fields, filters, pixels, taps=1):
        """Whether blocks are expected to be quicker, for a FastFourier and a window of so many pixels."""
        saved = (fourier.order**2 - fourier.products) * taps * fields * filters * (pixels or PIXELS)
        numbers, cuts, operations = moved(fourier, fields, filters, taps)
        at_a_pixel = self.per_number * numbers + self.per_cut * cuts
        return saved > at_a_pixel * (pixels or PIXELS) + self.per_operation * operations


def moved(fourier, fields, filters, taps=1):
    """What the blocks write beside their convolutions.

    Returns:
        `(numbers, cuts, operations)`: numbers at one pixel that additions, splits and joins write; those that cutting
        out the pixels of a window and joining them writes; and how many operations the blocks are.
    """
    inside = len(fourier.forward.steps) + fourier.order + fourier.coefficients
    outside = len(fourier.inverse.steps) + fourier.order + fourier.coefficients
    convolutions = sum(block.rows * (3 if block.dim > 1 else 1) for block in fourier.blocks)
    operations = len(fourier.forward.steps) + len(fourier.inverse.steps) + convolutions + 2
    cuts = 0
    if taps > 1:
        cuts, operations = 2 * fourier.order * taps * fields, operations + (taps + 1) * fourier.order
    return inside * taps * fields + outside * filters, cuts, operations


# Fitted by tests/benchmarks/test_pointwise_blocks.py and test_window_blocks.py, batch 1, two cores with AVX-512
# (TensorFlow on both, else one thread), TensorFlow 2.21. 1x1 blocks were quicker from: TFLite 32 fields of D4, 16 of O;
# ONNX Runtime 64 and 32; TensorFlow 128 and 32; OpenVINO, which fuses no additions, nowhere up to 128 and 32. 3x3 ones:
# TFLite 32 fields of D4, 64 of C4, 8 of O; ONNX Runtime and TensorFlow 64 of D4.
TFLITE = BlockRule(per_number=18.0, per_cut=12.0, per_operation=1e4)
ONNX = BlockRule(per_number=20.0, per_cut=80.0, per_operation=8e4)
TENSORFLOW = BlockRule(per_number=45.0, per_cut=45.0, per_operation=1e5)
OPENVINO = BlockRule(per_number=170.0, per_cut=170.0, per_operation=3e5)
