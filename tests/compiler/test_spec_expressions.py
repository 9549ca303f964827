"""`${...}`: what it computes, and that it can do nothing else."""

import pytest

from keras_equivariant.compiler import SpecError
from keras_equivariant.compiler.grammar.errors import Where
from keras_equivariant.compiler.grammar.expressions import evaluate, fill

SCOPE = {"n": 7, "x": 0.5, "group": "D4", "flag": True, "widths": {"Z2": 96, "C4": 48, "D4": 32}, "stages": [1, 2, 3]}
WHERE = Where("t.yaml", 3, "layers[0]")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * n + 1", 15),
        ("n // 2 - -1", 4),
        ("n % 4 / 2", 1.5),
        ("2 ** 10", 1024),
        ("widths[group]", 32),
        ("widths['p4m']", 32),
        ("widths['C1'] + widths['p4']", 144),
        ("stages[-1]", 3),
        ("[n, x]", [7, 0.5]),
        ("1 if flag else 2", 1),
        ("n > 3 and not flag or group == 'D4'", True),
        ("1 < n <= 7 != 8", True),
        ("group in ['C4', 'D4']", True),
        ("round(32 / order(group) ** 0.5)", 11),
        ("max(n, 9) + min(stages) + abs(-1) + int(2.9) + len(stages)", 16),
        ("true and false", False),
        ("null", None),
        ("'a'", "a"),
    ],
)
def test_values(text, value):
    found = evaluate(text, SCOPE, WHERE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m", 'unknown parameter "m". Known: n, x, group, flag, widths, stages.'),
        ("widhts", 'unknown parameter "widhts". Did you mean "widths"?'),
        ("widths['C8']", "the table has no entry 'C8': ${widths['C8']}. Known: Z2, C4, D4."),
        ("stages[3]", "a list of 3 values has no index 3"),
        ("n[0]", "only tables and lists can be looked up, not 7 by 0"),
        ("group + 'x'", "arithmetic takes numbers, not 'D4'"),
        ("flag + 1", "arithmetic takes numbers, not True"),
        ("n / 0", "the expression ${n / 0} has no value: division by zero"),
        ("(0 - 1) ** 0.5", "an expression must have a real value"),
        ("order('Q4')", "has no value: `group` must be"),
        ("order('SO2') + 1", 'counts the elements of a finite group. Received: "SO2"'),
        ("max(1, round(32 / order('SO3')))", 'counts the elements of a finite group. Received: "SO3"'),
        ("1 +", "an expression must be arithmetic on parameters. Received: ${1 +}"),
        ("", "an expression must be arithmetic on parameters. Received: ${}"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(SpecError) as caught:
        evaluate(text, SCOPE, WHERE)
    assert str(caught.value).startswith("t.yaml:3: layers[0]: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "10**15 * 10**15",
        "2.0 ** 64 ** 2",
        "1e308 * 10",
        "'x' * 10**9",
        "[1] * 10**9",
        "__import__('os')",
        "n.__class__",
        "().__class__",
        "(lambda: 1)()",
        "[i for i in stages]",
        "{1: 2}",
        "f'{n}'",
        "n if (n := 3) else 1",
        "stages[0:2]",
        "max(stages, key=len)",
        "max([[1], [2]])",
        "b'x'",
        "1j",
        "...",
        "n; n",
        "1 << 60",
        "~n",
        "n is n",
        "*stages",
        "-" * 198 + "1",
        "(" * 150 + "1",
        "1" * 201,
        "n\0",
    ],
)
def test_nothing_else_can_be_written(text):
    try:
        assert evaluate(text, SCOPE, WHERE) == 1  # signs alone are arithmetic
    except SpecError as error:
        assert str(error).startswith("t.yaml:3: layers[0]: ")


def test_signs_are_bounded_by_the_length_alone():
    assert evaluate("-" * 198 + "1", SCOPE, WHERE) == 1


def test_an_expression_alone_keeps_its_type_and_inside_a_text_becomes_one():
    assert fill("${n}", SCOPE, WHERE) == 7
    assert fill("a${n}_${group}_${flag}", SCOPE, WHERE) == "a7_D4_true"
    assert fill("no expression", SCOPE, WHERE) == "no expression"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${n", "an expression must be closed on the same line"),
        ("a ${ {1: 2}[1] }", "an expression must be closed on the same line, and hold no braces"),
        ("a${stages}", "only texts and numbers can stand inside a text. Received: [1, 2, 3]"),
    ],
)
def test_texts_with_bad_expressions(text, message):
    with pytest.raises(SpecError, match="t.yaml:3: layers") as caught:
        fill(text, SCOPE, WHERE)
    assert message in str(caught.value)
