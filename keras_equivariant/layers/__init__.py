"""The layers, one public class a file."""

from keras_equivariant.layers.average_pooling import AveragePooling2D
from keras_equivariant.layers.batch_normalization import BatchNormalization
from keras_equivariant.layers.group_conv import GroupConv2D
from keras_equivariant.layers.group_conv_transpose import GroupConv2DTranspose
from keras_equivariant.layers.group_pooling import GroupPooling
from keras_equivariant.layers.harmonic_activation import HarmonicActivation
from keras_equivariant.layers.harmonic_batch_normalization import HarmonicBatchNormalization
from keras_equivariant.layers.harmonic_conv import HarmonicConv2D
from keras_equivariant.layers.harmonic_magnitude import HarmonicMagnitude
from keras_equivariant.layers.lifting_conv import LiftingConv2D
from keras_equivariant.layers.max_pooling import MaxPooling2D
from keras_equivariant.layers.steerable_conv import SteerableConv2D
from keras_equivariant.layers.steerable_conv_transpose import SteerableConv2DTranspose
from keras_equivariant.layers.steerable_dense import SteerableDense
from keras_equivariant.layers.up_sampling import UpSampling2D

__all__ = [
    "AveragePooling2D",
    "BatchNormalization",
    "GroupConv2D",
    "GroupConv2DTranspose",
    "GroupPooling",
    "HarmonicActivation",
    "HarmonicBatchNormalization",
    "HarmonicConv2D",
    "HarmonicMagnitude",
    "LiftingConv2D",
    "MaxPooling2D",
    "SteerableConv2D",
    "SteerableConv2DTranspose",
    "SteerableDense",
    "UpSampling2D",
]
