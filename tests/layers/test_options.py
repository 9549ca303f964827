"""Options are declared once, in a constructor: what a layer from outside the package gets for it."""

from __future__ import annotations

import inspect
import json
from typing import Any

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.layers.core.base import EquivariantLayer
from keras_equivariant.layers.core.options import (
    Activation,
    Count,
    GroupLike,
    Initializer,
    Size,
    declared,
    part_of,
    passed_on,
)


class Told(ke.layers.GroupConv2D):
    """A layer that adds an option to those of another, all by name."""

    def __init__(self, filters: Count, group: GroupLike, window: Size | None = None, **kwargs: Any) -> None:
        super().__init__(kernel_size=3, **passed_on(locals()))
        self.window = window if window is None else tuple(window)


class Plain(EquivariantLayer):
    def __init__(self, activation: Activation = "relu", start: Initializer = "zeros", seed=None, **kwargs):
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.start = keras.initializers.get(start)
        self.seed = seed


def test_configurations_are_read_from_the_signatures():
    config = Told(2, "C4", window=(3, 4), use_bias=False, name="told").get_config()
    assert (config["filters"], config["group"], config["window"]) == (2, "C4", [3, 4])
    assert config["kernel_size"] == [3, 3]
    assert config["use_bias"] is False
    assert "data_format" not in config  # of one value
    plain = Plain("tanh", seed=3, strict=False, name="plain")
    config = plain.get_config()
    assert (config["activation"], config["seed"], config["strict"]) == ("tanh", 3, False)
    assert config["start"] == keras.initializers.serialize(keras.initializers.Zeros())
    assert Plain.from_config(config).get_config() == config


def test_a_group_given_as_an_object_is_kept_by_its_name():
    d4 = ke.groups.get("D4")
    assert ke.layers.GroupPooling(group=d4, subgroup="C4").get_config()["group"] == "D4"
    assert ke.layers.MaxPooling2D(group=d4).get_config()["group"] == "D4"


def test_an_option_without_its_attribute_is_an_error():
    class Forgets(EquivariantLayer):
        def __init__(self, width=1, **kwargs):
            super().__init__(**kwargs)

    with pytest.raises(ValueError, match="Received: Forgets with the option `width` and no attribute.*set self.width"):
        Forgets().get_config()

    class Sets(Forgets):  # the remedies
        def __init__(self, width=1, **kwargs):
            super().__init__(**kwargs)
            self.width = width

    class Writes(Forgets):
        def get_config(self):
            return {**super().get_config(), "width": 2}

    assert Sets(5).get_config()["width"] == 5
    assert Writes().get_config()["width"] == 2


def test_what_no_base_declares_is_not_passed_on():
    class Narrow(EquivariantLayer):
        def __init__(self, width=1, strict=True, **kwargs):
            name = "not an option"  # a local variable
            self.passed = passed_on(locals())
            self.conv = part_of(locals(), ke.layers.GroupConv2D)
            super().__init__(**self.passed)
            self.width = name

    layer = Narrow(3, strict=False, dtype="float64")
    assert layer.passed == {"strict": False, "dtype": "float64"}
    assert layer.conv == {"strict": False}
    assert layer.name != "not an option"


def test_a_keyword_that_no_constructor_knows_is_an_error():
    for layer in (ke.layers.GroupConv2DTranspose, ke.layers.GroupConv2D):
        with pytest.raises(ValueError, match="fitlers"):
            layer(3, 3, "C4", fitlers=3)


@pytest.mark.parametrize("name", ke.layers.__all__)
def test_a_missing_option_is_named_with_an_example_that_works(name):
    layer = getattr(ke.layers, name)
    first, parameter = next(iter(declared(layer.__init__).items()))
    if parameter.default is not inspect.Parameter.empty:
        return  # all have defaults
    with pytest.raises(TypeError, match=rf"^{name} needs `{first}`.*Received: {name}\(strict=True\)") as error:
        layer(strict=True)
    example = str(error.value).split("write e.g. ")[1]
    assert isinstance(eval(example, {name: layer}), layer)


def test_positions_of_transposed_convolutions():
    layer = ke.layers.GroupConv2DTranspose(4, 3, "C4", 2, "same")
    assert (layer.filters, layer.kernel_size, layer.strides, layer.padding) == (4, (3, 3), (2, 2), "same")


def test_whole_numbers_may_be_those_of_numpy():
    layer = ke.layers.LiftingConv2D(np.int64(4), (np.int32(3), np.int32(3)), "C4", groups=np.int64(1))
    assert json.loads(json.dumps(layer.get_config()))["filters"] == 4
