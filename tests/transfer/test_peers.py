"""The rows of the page on other libraries: what they call the same is compared somewhere, what they name exists."""

import ast
import json
import pathlib
import re

import keras
import pytest
import test_from_escnn

import keras_equivariant as ke
from keras_equivariant.transfer import escnn_joins, escnn_modules, peers

IN_BRANCHES = ("BranchingModule", "MergeModule", "EquivariantModule")  # what the writer makes steps of
ROOT = pathlib.Path(__file__).parents[2]


def recorded_kinds():
    records = [json.loads(str(test_from_escnn.RECORDED[f"{name}/record"])) for name in test_from_escnn.NAMES]
    return {step["kind"] for record in records for step in record["steps"]}


def test_every_row_that_says_same_names_a_test_that_is_there():
    for row in peers.ROWS:
        assert row.verdict in peers.VERDICTS
        assert bool(row.checked) == (row.verdict in (peers.SAME, peers.AFTER)), row
        assert row.note or row.verdict != peers.AFTER, row
        if row.checked:
            path, _, name = row.checked.partition("::")
            tree = ast.parse((ROOT / path).read_text())
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, row


def test_modules_of_escnn_are_all_in_a_row():
    same = {kind for row in peers.ROWS if row.library == "escnn" and row.checked for kind in row.theirs}
    assert set(escnn_modules.MODULES) - set(escnn_joins.STEPS) <= same  # those of torch and between modules apart
    # A row is checked by numbers of one of its classes at least; its other classes share the function.
    seen = recorded_kinds() | {"SequentialModule", "MultipleModule", "padding_mode"}
    seen |= {"rings", "tensor_directsum", "integer padding", "FourierPointwise by FourierActivation"}
    for row in peers.ROWS:
        if row.library == "escnn" and row.checked:
            assert seen & set(row.theirs), row


def test_every_module_of_escnn_has_a_row():
    """Imported, or another function with what is here instead; none is missing."""
    assert len(test_from_escnn.MODULES) > 60
    for kind in test_from_escnn.MODULES:
        row = peers.escnn_row(kind)
        assert row is not None and row.ours, kind
        imported = row.verdict in (peers.SAME, peers.AFTER)
        assert imported or (row.verdict == peers.OTHER and row.note), kind
        if imported and kind not in ("SequentialModule", "MultipleModule", *IN_BRANCHES):
            assert kind in escnn_modules.MODULES, kind


def test_what_the_rows_name_here_exists():
    for row in peers.ROWS:
        for name in re.findall(r"`([A-Z]\w+)", row.ours):
            assert hasattr(ke.layers, name) or hasattr(keras.layers, name), (row, name)


@pytest.mark.parametrize("kind", ["TensorProductModule", "R2Conv", "Nothing"])
def test_a_class_has_at_most_one_row(kind):
    found = [row for row in peers.ROWS if row.library == "escnn" and kind in row.theirs]
    assert peers.escnn_row(kind) == (found[0] if found else None) and len(found) == (kind != "Nothing")
