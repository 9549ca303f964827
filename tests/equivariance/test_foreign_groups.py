"""A network tested on a group that is not its own: a verdict where the group acts on its features, else the rule."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import groups, layers

pytestmark = pytest.mark.tensorflow

PLANE = ("C1", "C2", "D1", "C4", "D4")
SPACE = ("T", "O", "Oh")


def regular(image, group, conv):
    return conv(2, 3, group=group, padding="same")(image)


def typed(image, group, conv):
    return layers.FlattenFields(group)(regular(image, group, conv))


def pooled(image, group, conv):
    """Scalars again, behind features that only the group's own elements move."""
    fields = layers.UnflattenFields("2xregular", group=group)(typed(image, group, conv))
    return layers.GroupPooling("max")(fields)


def mean(image, group, conv):
    space = len(image.shape) - 2
    return getattr(keras.layers, f"GlobalAveragePooling{space}D")()(pooled(image, group, conv))


def network(head, group):
    """On images of the plane or on volumes."""
    keras.utils.set_random_seed(0)
    space = 2 if group in PLANE else 3
    image = keras.Input((5,) * space + (1,))
    conv = layers.LiftingConv2D if space == 2 else layers.LiftingConv3D
    return keras.Model(image, head(image, group, conv))


def verdict_on(model, group):
    return ke.certify(model, group, angles=0).verdict


@pytest.mark.parametrize("head", [regular, typed, pooled, mean])
@pytest.mark.parametrize("own, others", [(own, PLANE) for own in PLANE] + [("T", SPACE), ("O", SPACE)])
def test_every_group_gets_a_verdict_or_the_rule(head, own, others):
    model = network(head, own)
    invariant = head in (pooled, mean)
    for other in others:
        if groups.contains(own, other):
            assert verdict_on(model, other) == ("vacuous" if other == "C1" else "exact"), other
        elif invariant:
            assert verdict_on(model, other) == "broken", other
        else:
            with pytest.raises(ValueError, match=f"every element of the group must act.*{other}; test on {own}"):
                verdict_on(model, other)


@pytest.mark.parametrize("own, others", [("C4", {"D4": "broken"}), ("SO2", {"C4": "exact", "O2": "broken"})])
def test_scalars_given_as_a_field_type_move_under_any_group(own, others):
    keras.utils.set_random_seed(0)
    image = keras.Input((7, 7, 2))
    hidden = layers.SteerableConv2D("2xtrivial", "2x0 + 2x1", 3, own, padding="same")(image)
    model = keras.Model(image, layers.SteerableConv2D("2x0 + 2x1", "2xtrivial", 3, own, padding="same")(hidden))
    for group, verdict in others.items():
        assert verdict_on(model, group) == verdict


def test_functions_are_held_to_the_same_rule():
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 2))
    fields = ke.FieldType.parse("1x1", "C4")
    with pytest.raises(ValueError, match="`input_layout`: every element of the group must act"):
        ke.equivariance_error(lambda y: y, "D4", x, input_layout=fields)
    with pytest.raises(ValueError, match="`output_layout`: every element of the group must act"):
        ke.assert_equivariant(lambda y: y, "D4", x, input_layout="image", output_layout=fields)
