"""The command that a run writes down is the one that repeats it."""

import shlex

import pytest

from keras_equivariant.cli.commands import _data_options, _pairs
from keras_equivariant.cli.parser import make_parser
from keras_equivariant.training.origin import command_line
from keras_equivariant.utils.provenance import UNKNOWN

PLAIN = {"spec": "p4_cnn", "data": "digits"}


def again(arguments):
    """What the command line reads from the command of these arguments."""
    program, *words = shlex.split(command_line({**PLAIN, **arguments}))
    assert program == "keras-equivariant"
    return make_parser().parse_args(words)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": (8, 12)},
        {"size": 9, "fit": "resize"},
        {"size": (6, 7), "target": "weight", "classes": 3},
        {"radius": 0.5, "name": "a b", "levels": [1, 2]},
    ],
    ids=str,
)
def test_options_of_the_data_set(options):
    assert _data_options(again({"data_options": options})) == options


def test_parameters_recipe_and_numbers():
    numbers = {"seed": 2, "validation": 0.2, "limit": 50}
    found = again({"params": {"filters": 8}, "recipe": {"early_stopping": 3}, **numbers})
    assert _pairs(found.set, "--set") == {"filters": 8} and _pairs(found.recipe, "--recipe") == {"early_stopping": 3}
    assert {name: getattr(found, name) for name in numbers} == numbers


def test_what_has_no_name_is_unknown():
    assert command_line({"spec": {"spec": 1}, "data": "digits"}) == UNKNOWN
