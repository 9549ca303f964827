"""Small networks of stock Keras layers, one of each kind that people bring."""

import keras
import numpy as np
from keras import layers


def residual(size=(16, 16, 3)):
    """A residual network whose strides lie on even sizes."""
    image = keras.Input(size)
    x = layers.ZeroPadding2D(1)(image)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(axis=3)(x))
    x = layers.MaxPooling2D(3, 2, "same")(x)
    y = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", groups=2)(x)
    y = layers.Conv2D(16, 3, padding="same")(y)
    x = layers.Add()([layers.Conv2D(16, 1, strides=2)(x), y])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    return keras.Model(image, layers.Dense(4, activation="softmax")(layers.Dropout(0.1)(x)), name="residual")


def mobile(size=(16, 16, 3)):
    """Inverted residual blocks: depthwise convolutions, one-sided padding, squeeze and excitation."""
    image = keras.Input(size)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.Conv2D(8, 3, strides=2)(x)
    y = layers.Activation("hard_silu")(layers.DepthwiseConv2D(5, padding="same")(x))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(8, 1, activation="hard_sigmoid")(layers.Conv2D(4, 1, activation="relu")(gate))
    x = layers.Add()([x, layers.Conv2D(8, 1)(layers.Multiply()([y, gate]))])
    x = layers.SeparableConv2D(12, 3, strides=2, padding="same", depth_multiplier=2)(x)
    x = layers.ReLU(6.0)(layers.Conv2D(16, 1)(x) + 3.0) / 6.0
    x = layers.Conv2D(4, 1)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return keras.Model(image, layers.Flatten()(x), name="mobile")


def dense(size=(16, 16, 3)):
    """Features side by side, a flattened map at the end, a model within the model, a layer that is used twice."""
    image = keras.Input(size)
    shared = layers.Conv2D(6, 3, padding="same", activation="tanh")
    block = keras.Sequential([keras.Input((16, 16, 6)), layers.LayerNormalization(), shared], name="block")
    first = layers.Conv2D(6, 3, padding="same")(image)
    x = layers.Concatenate()([first, shared(first), block(first)])
    x = layers.AveragePooling2D(2)(layers.Conv2D(8, 1, use_bias=False)(x))
    x = layers.Dense(8, activation="gelu")(layers.GroupNormalization(4)(x))
    x = layers.Dense(12, activation="relu")(layers.Flatten()(layers.AveragePooling2D(2)(x)))
    return keras.Model(image, layers.Dense(3)(x), name="dense")


def unet(rank=2, size=8):
    """Skips, transposed convolutions and enlarging, a mask at the end."""
    conv, up = getattr(layers, f"Conv{rank}D"), getattr(layers, f"Conv{rank}DTranspose")
    image = keras.Input((size,) * rank + (1,))
    skip = conv(8, 3, padding="same", activation="relu")(image)
    x = getattr(layers, f"MaxPooling{rank}D")(2)(skip)
    x = layers.BatchNormalization()(conv(8, 3, padding="same", activation="relu")(x))
    x = getattr(layers, f"SpatialDropout{rank}D")(0.1)(x)
    a = up(4, 3, strides=2, padding="same")(x)
    b = getattr(layers, f"UpSampling{rank}D")(2)(x)
    x = conv(8, 3, padding="same", activation="relu")(layers.Concatenate()([skip, a, b, image]))
    return keras.Model(image, conv(2, 1, activation="softmax")(x), name=f"unet{rank}d")


def shake(model, seed=0):
    """Weights with which nothing vanishes on the way: answers differ from image to image."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        shape, name = tuple(weight.shape), weight.path.split("/")[-1]
        if "seed" in weight.path:
            continue
        if name in ("moving_variance", "gamma"):
            values = random.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            values = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))
        else:
            values = 0.2 * random.standard_normal(shape)
        weight.assign(values)
    return model


NETWORKS = {"residual": residual, "mobile": mobile, "dense": dense, "unet": unet}
