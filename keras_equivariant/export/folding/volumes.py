"""Stock layers on volumes that TFLite lacks, rewritten as equal ones that it has."""

import numpy as np
from keras import layers, ops

from keras_equivariant.ops import expansion, pooling
from keras_equivariant.stock.inference import at_inference


def _pooling(mode):
    def rule(emitter, layer, x):
        config = layer.get_config()
        if config["data_format"] != "channels_last" or None in x.shape[1:]:
            return emitter.copy(layer, x)
        return pooling.pool(x, mode, config["pool_size"], config["strides"], config["padding"])

    return rule


def _convolution(emitter, layer, x):
    """Groups and the gaps between the taps become zeros of the kernel."""
    if layer.data_format != "channels_last" or (layer.groups == 1 and max(layer.dilation_rate) == 1):
        return emitter.copy(layer, x)
    _, (kernel, *bias) = at_inference(layer)
    inside, outside = (np.repeat(np.arange(layer.groups), n // layer.groups) for n in (x.shape[-1], layer.filters))
    kernel = np.tile(kernel, (1, 1, 1, layer.groups, 1)) * (inside[:, None] == outside[None])
    kernel = ops.convert_to_numpy(expansion.dilate(ops.convert_to_tensor(kernel), layer.dilation_rate))
    written_out = {"lora_rank": None, "kernel_size": kernel.shape[:3], "groups": 1, "dilation_rate": (1, 1, 1)}
    return emitter.apply((id(layer),), layer, [kernel, *bias], x, **written_out)


def slopes(x, alpha):
    """PReLU of five axes, in operations that TFLite's converter does not make one of its own of, which takes four."""
    return ops.relu(x) + ops.minimum(x, 0.0) * ops.convert_to_tensor(alpha, dtype=x.dtype)


def _prelu(emitter, layer, x):
    return slopes(x, layer.get_weights()[0]) if len(x.shape) > 4 else emitter.copy(layer, x)


VOLUMES = {
    layers.AveragePooling3D: _pooling("average"),
    layers.MaxPooling3D: _pooling("max"),
    layers.Conv3D: _convolution,
    layers.PReLU: _prelu,
}
