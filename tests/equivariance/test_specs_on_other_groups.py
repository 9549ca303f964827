"""Packaged networks on the groups of plane and space: a verdict, or the rule. One runs always, all by `-m slow`."""

import keras
import pytest
from small_specs import SMALL

import keras_equivariant as ke
from keras_equivariant.equivariance.report import APPROXIMATE, BROKEN, EXACT, UNKNOWN, VACUOUS

pytestmark = pytest.mark.tensorflow

PLANE = ("C1", "C2", "C3", "C4", "C8", "D1", "D2", "D4", "D6", "SO2", "O2")
SPACE = ("T", "O", "I", "Th", "Td", "Oh", "C4z", "D4z", "D4h", "SO3", "O3")
ALWAYS = ("p4_cnn",)
NAMES = [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in ke.list_specs()]


@pytest.mark.parametrize("name", NAMES)
def test_every_group_gets_a_verdict_or_the_rule(name):
    keras.utils.set_random_seed(0)
    model, verdicts = ke.build_from_spec(name, **SMALL.get(name, {})), 0
    for group in PLANE + SPACE:
        try:
            found = ke.certify(model, group, angles=0, layers=False)
        except ValueError as error:
            assert "Received: " in str(error), f"{group}: {error}"
            continue
        verdicts += 1
        assert found.verdict in (EXACT, APPROXIMATE, BROKEN, VACUOUS, UNKNOWN), group
    assert verdicts
