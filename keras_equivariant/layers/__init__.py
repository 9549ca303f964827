"""The layers, one public class a file."""

from keras_equivariant.layers.harmonic.harmonic_activation import HarmonicActivation
from keras_equivariant.layers.harmonic.harmonic_batch_normalization import HarmonicBatchNormalization
from keras_equivariant.layers.harmonic.harmonic_conv import HarmonicConv2D
from keras_equivariant.layers.harmonic.harmonic_magnitude import HarmonicMagnitude
from keras_equivariant.layers.points.bottleneck import LieBottleneck
from keras_equivariant.layers.points.conv import LieConv

# Outside `__all__`, the layers of specs: it takes a network.
from keras_equivariant.layers.points.frame_averaging import FrameAveraging as FrameAveraging
from keras_equivariant.layers.points.image_to_points import ImageToPoints
from keras_equivariant.layers.points.lift import LieLift
from keras_equivariant.layers.points.pooling import LiePooling
from keras_equivariant.layers.points.position_orientation_block import PositionOrientationBlock
from keras_equivariant.layers.points.position_orientation_conv import PositionOrientationConv
from keras_equivariant.layers.points.steerable_conv import SteerablePointConv
from keras_equivariant.layers.points.steerable_pooling import SteerablePointPooling
from keras_equivariant.layers.regular.adaptive_pooling import (
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from keras_equivariant.layers.regular.average_pooling import AveragePooling2D, AveragePooling3D
from keras_equivariant.layers.regular.batch_normalization import BatchNormalization
from keras_equivariant.layers.regular.flatten_fields import FlattenFields
from keras_equivariant.layers.regular.gaussian_blur import GaussianBlur2D, GaussianBlur3D
from keras_equivariant.layers.regular.group_conv import GroupConv2D, GroupConv3D
from keras_equivariant.layers.regular.group_conv_transpose import GroupConv2DTranspose, GroupConv3DTranspose
from keras_equivariant.layers.regular.group_depthwise_conv import GroupDepthwiseConv2D, GroupDepthwiseConv3D
from keras_equivariant.layers.regular.group_pooling import GroupPooling
from keras_equivariant.layers.regular.group_repeat import GroupRepeat
from keras_equivariant.layers.regular.layer_scale import LayerScale
from keras_equivariant.layers.regular.lifting_conv import LiftingConv2D, LiftingConv3D
from keras_equivariant.layers.regular.max_pooling import MaxPooling2D, MaxPooling3D
from keras_equivariant.layers.regular.radial_mask import RadialMask2D, RadialMask3D

# Outside `__all__`, the layers of specs: it takes a layer.
from keras_equivariant.layers.regular.relaxed import Relaxed as Relaxed
from keras_equivariant.layers.regular.resizing import Resizing2D, Resizing3D
from keras_equivariant.layers.regular.unflatten_fields import UnflattenFields
from keras_equivariant.layers.regular.up_sampling import UpSampling2D, UpSampling3D
from keras_equivariant.layers.steerable.concatenated_relu import ConcatenatedReLU
from keras_equivariant.layers.steerable.field_dropout import FieldDropout
from keras_equivariant.layers.steerable.field_pooling import FieldPooling
from keras_equivariant.layers.steerable.fourier_activation import FourierActivation
from keras_equivariant.layers.steerable.gated_activation import GatedActivation
from keras_equivariant.layers.steerable.norm_activation import NormActivation
from keras_equivariant.layers.steerable.norm_max_pooling import NormMaxPooling2D, NormMaxPooling3D
from keras_equivariant.layers.steerable.norm_pooling import NormPooling
from keras_equivariant.layers.steerable.pointwise_activation import PointwiseActivation
from keras_equivariant.layers.steerable.restrict import Restrict, Unrestrict
from keras_equivariant.layers.steerable.sampled_activation import SampledActivation
from keras_equivariant.layers.steerable.select_fields import SelectFields
from keras_equivariant.layers.steerable.steerable_batch_normalization import SteerableBatchNormalization
from keras_equivariant.layers.steerable.steerable_conv import SteerableConv2D, SteerableConv3D
from keras_equivariant.layers.steerable.steerable_conv_transpose import (
    SteerableConv2DTranspose,
    SteerableConv3DTranspose,
)
from keras_equivariant.layers.steerable.steerable_dense import SteerableDense
from keras_equivariant.layers.steerable.steerable_group_normalization import SteerableGroupNormalization
from keras_equivariant.layers.steerable.steerable_instance_normalization import SteerableInstanceNormalization
from keras_equivariant.layers.steerable.steerable_layer_normalization import SteerableLayerNormalization

# Outside `__all__`, too: it takes two tensors.
from keras_equivariant.layers.steerable.steerable_tensor_product import SteerableTensorProduct as SteerableTensorProduct
from keras_equivariant.layers.steerable.tensor_product_activation import TensorProductActivation
from keras_equivariant.layers.steerable.vector_field_activation import VectorFieldActivation

__all__ = [
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AveragePooling2D",
    "AveragePooling3D",
    "BatchNormalization",
    "ConcatenatedReLU",
    "FieldDropout",
    "FieldPooling",
    "FlattenFields",
    "FourierActivation",
    "GatedActivation",
    "GaussianBlur2D",
    "GaussianBlur3D",
    "GroupConv2D",
    "GroupConv2DTranspose",
    "GroupConv3D",
    "GroupConv3DTranspose",
    "GroupDepthwiseConv2D",
    "GroupDepthwiseConv3D",
    "GroupPooling",
    "GroupRepeat",
    "HarmonicActivation",
    "HarmonicBatchNormalization",
    "HarmonicConv2D",
    "HarmonicMagnitude",
    "ImageToPoints",
    "LayerScale",
    "LieBottleneck",
    "LieConv",
    "LieLift",
    "LiePooling",
    "LiftingConv2D",
    "LiftingConv3D",
    "MaxPooling2D",
    "MaxPooling3D",
    "NormActivation",
    "NormMaxPooling2D",
    "NormMaxPooling3D",
    "NormPooling",
    "PointwiseActivation",
    "PositionOrientationBlock",
    "PositionOrientationConv",
    "RadialMask2D",
    "RadialMask3D",
    "Resizing2D",
    "Resizing3D",
    "Restrict",
    "SampledActivation",
    "SelectFields",
    "SteerableBatchNormalization",
    "SteerableConv2D",
    "SteerableConv2DTranspose",
    "SteerableConv3D",
    "SteerableConv3DTranspose",
    "SteerableDense",
    "SteerableGroupNormalization",
    "SteerableInstanceNormalization",
    "SteerableLayerNormalization",
    "SteerablePointConv",
    "SteerablePointPooling",
    "TensorProductActivation",
    "UnflattenFields",
    "Unrestrict",
    "UpSampling2D",
    "UpSampling3D",
    "VectorFieldActivation",
]
