"""YAML into values: YAML 1.2's plain words, `${...}` anywhere, and every mistake with its line."""

import pytest
import yaml

from keras_equivariant.compiler import SpecError, parse_value
from keras_equivariant.compiler.grammar.parser import parse_yaml


def plain(text):
    return parse_yaml(text, "t.yaml").plain()


def test_plain_values_follow_yaml_1_2():
    text = "[1, -2, 1e-3, 1.5, .5, true, false, null, ~, yes, on, no, off, 0x10, 'true', \"1\", 1_000, 12:30]"
    expected = [1, -2, 1e-3, 1.5, 0.5, True, False, None, None]
    expected += ["yes", "on", "no", "off", "0x10", "true", "1", "1_000", "12:30"]
    values = plain(text)
    assert values == expected
    assert [type(v) for v in values] == [type(v) for v in expected]


def test_a_plain_document_reads_as_pyyaml_reads_it():
    text = "a: {b: [1, two, 3.5], c: 'x: y'}\nd:\n  - e: 1\n  - |\n    lines\n    of text\n"
    assert plain(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text", ["{a: ${x + 1}}", "a: ${x + 1}", "{a: '${x + 1}'}", "a: ${x + 1}  # ${y", '{a: "${x + 1}"}']
)
def test_expressions_need_no_quotes(text):
    assert plain(text) == {"a": "${x + 1}"}


def test_expressions_in_lists_and_texts():
    assert plain("[${a[0]}, x${b}y, '${c}']") == ["${a[0]}", "x${b}y", "${c}"]


def test_lines_are_those_of_the_keys():
    root = parse_yaml("a: 1\n\nb:\n  - c: ${x}\n  - d:\n      e\n", "t.yaml")
    assert root.value["b"].where.line == 3
    inner = root.value["b"].value[1].value["d"]
    assert (inner.where.line, inner.where.path) == (5, "b[1].d")


def test_command_line_values_have_their_types():
    values = [parse_value(text) for text in ("23", "1e-3", "[16, 32]", "true", "D4", "{a: 1}")]
    assert values == [23, 1e-3, [16, 32], True, "D4", {"a": 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.yaml: the spec is empty"),
        ("a: 1\nb: 2\na: 3", "t.yaml:3: a: duplicate key; the first one is in line 1"),
        ("a: {b: 1, b: 2}", "t.yaml:1: a.b: duplicate key; the first one is in line 1"),
        ("a: [1, 2", "t.yaml:1: bad YAML: while parsing a flow sequence expected ',' or ']', but got '<stream end>'"),
        ("a:\n\t- b", "found character '\\t' that cannot start any token; indent with spaces, not tabs"),
        ("a: 1\n---\nb: 2", "t.yaml:2: a file must hold one spec; a second document starts here"),
        ("a: &x 1", "t.yaml:1: a: anchors (&) and aliases (*) are not allowed; use `params` and `blocks`"),
        ("a: *x", "t.yaml:1: a: anchors (&) and aliases (*) are not allowed; use `params` and `blocks`"),
        (
            "a: !!python/name:os.system x",
            "t.yaml:1: a: tags are not allowed. Received: tag:yaml.org,2002:python/name:os.system",
        ),
        ("a: !!str 1", "t.yaml:1: a: tags are not allowed"),
        ("1.5: x", "t.yaml:1: keys must be names or whole numbers. Received: 1.5"),
        ("a: 1e999", "t.yaml:1: a: numbers must be finite. Received: inf"),
        ("a: " + "9" * 5000, "t.yaml:1: a: whole numbers must lie within"),
        ("a: x\0", "t.yaml: bad YAML: unacceptable character #x0000"),
        (b"\xff\xfe\x00", "t.yaml: a spec must be UTF-8 text. Received: byte 0 is not"),
        ("a: \ue0000\ue001", "t.yaml: a spec must not contain the private characters U+E000 and U+E001"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(SpecError) as caught:
        parse_yaml(text, "t.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
