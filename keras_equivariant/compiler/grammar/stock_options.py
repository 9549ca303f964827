"""What the arguments of Keras's own layers are: Keras annotates none, so they are declared here, as ours are in theirs.

An argument means the same in all layers that have it, except where it is listed as `Layer.argument`.
"""

import inspect
import itertools

from keras_equivariant.layers.core.options import (
    Activation,
    Anything,
    Constraint,
    Count,
    DataFormat,
    FieldGroups,
    FieldGroupsOrAll,
    Initializer,
    Integers,
    Numbers,
    Padding,
    Regularizer,
    Seed,
    Size,
)

_PARTS = {"initializer": Initializer, "regularizer": Regularizer, "constraint": Constraint}
_WEIGHTS = ("kernel", "bias", "depthwise", "pointwise", "alpha", "beta", "gamma")

ANNOTATIONS = {
    **{f"{weight}_{part}": _PARTS[part] for weight, part in itertools.product(_WEIGHTS, _PARTS)},
    "activation": Activation,
    "activity_regularizer": Regularizer,
    "alpha": float,
    "axis": Integers,
    "Normalization.axis": Integers | None,  # null: one mean for all
    "center": bool,
    "cropping": Integers,
    "data_format": DataFormat,
    "depth_multiplier": Count,
    "dilation_rate": Size,
    "epsilon": float,
    "filters": Count,
    "groups": FieldGroups,
    "GroupNormalization.groups": FieldGroupsOrAll,
    "invert": bool,
    "keepdims": bool,
    "kernel_size": Size,
    "max_value": float,
    "mean": Numbers,
    "negative_slope": float,
    "noise_shape": Anything,
    "offset": Numbers,
    "output_padding": Size,
    "padding": Padding,
    "ZeroPadding2D.padding": Integers,
    "ZeroPadding3D.padding": Integers,
    "rate": float,
    "renorm": bool,
    "renorm_clipping": Anything,
    "renorm_momentum": float,
    "scale": bool,
    "Rescaling.scale": Numbers,
    "seed": Seed,
    "shared_axes": Integers,
    "stddev": float,
    "strides": Size,
    "target_shape": Integers,
    "threshold": float,
    "units": Count,
    "use_bias": bool,
    "variance": Numbers,
}


def annotated(layer, parameter):
    """The `inspect.Parameter` of a Keras layer's argument with its annotation; None as the default is a value, too."""
    found = ANNOTATIONS.get(f"{layer}.{parameter.name}", ANNOTATIONS.get(parameter.name, inspect.Parameter.empty))
    nullable = parameter.default is None and found is not inspect.Parameter.empty
    return parameter.replace(annotation=found | None if nullable else found)
