"""Every mistake is one line: file, line, place, what is wrong, and the nearest right name."""

# ruff: noqa: E501 (one line for each case)

import pytest

from keras_equivariant.compiler import SpecError, build_from_spec, load_spec

KNOWN_PARAMS = 'Did you mean "filters"?'


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, fitlers: 3}",
            '.GroupConv2D.fitlers: unknown argument. Did you mean "filters"?',
        ),
        ("- GroupConv2d: {filters: 3}", '.GroupConv2d: unknown layer. Did you mean "GroupConv2D"?'),
        ("- groupconv2d", '.groupconv2d: unknown layer. Did you mean "GroupConv2D"?'),
        ("- Lambda: x", ".Lambda: unknown layer. Known: Activation, AdaptiveAveragePooling2D, "),
        ("- os.system: x", ".os.system: unknown layer. "),
        ("- GroupConv2D: {kernel_size: 3}", '.GroupConv2D: needs the argument "filters"'),
        (
            "- GroupConv2D: {filters: many, kernel_size: 3}",
            ".filters: must be a whole number from 1 to 100000. Received: 'many'",
        ),
        (
            "- GroupConv2D: {filters: 0, kernel_size: 3}",
            ".filters: must be a whole number from 1 to 100000. Received: 0",
        ),
        (
            "- GroupConv2D: {filters: true, kernel_size: 3}",
            ".filters: must be a whole number from 1 to 100000. Received: true",
        ),
        (
            '- GroupConv2D: {filters: "${filters / 3}", kernel_size: 3}',
            "Received: 1.3333333333333333; round(…) gives a whole number",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: {a: 1}}",
            ".kernel_size: must be a whole number, or one for each axis of space. Received: a mapping",
        ),
        ("- GroupConv2D: {filters: 3, kernel_size: [3, 5]}", ".GroupConv2D: The kernel must keep its shape under D4"),
        ("- GroupConv2D: {filters: 3, kernel_size: 3, group: E4}", ".GroupConv2D.group: `group` must be "),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, group: 4}",
            ".GroupConv2D.group: `group` must be the name of a symmetry",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, groups: C4}",
            ".groups: must be a whole number from 1 (a symmetry is named by `group`). Received: 'C4'",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, groups: 2}",
            ".GroupConv2D: `filters` must be divisible by `groups`",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, padding: smae}",
            ".GroupConv2D.padding: unknown value. Received: 'smae'. Did you mean \"same\"?",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, use_bias: yes}",
            ".GroupConv2D.use_bias: must be true or false. Received: 'yes'",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, activation: rleu}",
            ".activation: unknown value. Received: 'rleu'. Did you mean \"relu\"?",
        ),
        ("- GroupConv2D: {filters: 3, kernel_size: 3, basis: spline}", ".GroupConv2D: `basis` must be one of"),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, kernel_initializer: he_nromal}",
            "must be the name of one of keras.initializers. Received: 'he_nromal'. Did you mean \"he_normal\"?",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, kernel_initializer: [1]}",
            "must be the name of one of keras.initializers. Received: a list",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, kernel_initializer: {RandomNormal: {sttdev: 1}}}",
            '.kernel_initializer.RandomNormal.sttdev: unknown argument. Did you mean "stddev"?',
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, kernel_initializer: {RandomNormall: 1}}",
            '.kernel_initializer.RandomNormall: unknown name. Did you mean "RandomNormal"?',
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 3, kernel_regularizer: {L2: [1]}}",
            ".kernel_regularizer.L2.l2: must be a number or a text. Received: a list",
        ),
        (
            "- GroupConv2D: {filters: 3, kernel_size: 9, padding: valid}",
            ".GroupConv2D: The kernel must fit into the input",
        ),
        (
            '- GroupConv2D: {filters: "${filtres}", kernel_size: 3}',
            f'.GroupConv2D.filters: unknown parameter "filtres". {KNOWN_PARAMS}',
        ),
        ("- unit", '.unit: the block "unit" needs the parameter "filters"'),
        ("- unit: {filtres: 8}", f'.unit.filtres: the block "unit" has no such parameter. {KNOWN_PARAMS}'),
        (
            "- unit: {filters: 8, kernel_size: big}",
            ".unit.kernel_size: must be a whole number, as its default 3. Received: 'big'",
        ),
        (
            "- unit: many",
            "blocks.unit.body[0].GroupConv2D.filters: must be a whole number from 1 to 100000. Received: 'many' (called at line 15)",
        ),
        ("- repeat: {times: x, body: [ReLU]}", ".repeat.times: must be a whole number from 0 to 2000. Received: 'x'"),
        ("- repeat: {times: -1, body: [ReLU]}", ".repeat.times: must be a whole number from 0 to 2000. Received: -1"),
        ("- repeat: {times: 2}", '.repeat: `repeat` needs the key "body"'),
        ("- repeat: {times: 2, bdoy: [ReLU]}", '.repeat.bdoy: unknown key. Did you mean "body"?'),
        (
            "- repeat: {times: 2, index: 3, body: [ReLU]}",
            ".repeat.index: must be a plain word, the name of the counter. Received: 3",
        ),
        ("- repeat", ".repeat: `repeat` must be a mapping. Received: nothing (null)"),
        ("- residual: [ReLU]", ".residual: `residual` must be a mapping. Received: a list"),
        ("- residual: {main: [unit: 5]}", ".residual: Inputs have incompatible shapes."),
        ("- residual: {main: ReLU}", ".residual.main: `main` must be a list. Received: 'ReLU'"),
        (
            "- parallel: {branches: [[ReLU]], merge: Add}",
            ".parallel.branches: must be two branches or more. Received: 1",
        ),
        (
            "- parallel: {branches: [[ReLU], []], merge: Dense}",
            ".parallel.merge: must be a layer that merges. Known: Add, Average",
        ),
        (
            "- parallel: {branches: [[ReLU], []], merge: Mximum}",
            '.parallel.merge: must be a layer that merges. Did you mean "Maximum"?',
        ),
        ("- parallel: {branches: [[ReLU], []]}", '.parallel: `parallel` needs the key "merge"'),
        ("- when: {test: 1, then: [ReLU]}", ".when.test: must be true or false. Received: 1"),
        ("- when: {test: true}", '.when: `when` needs the key "then"'),
        (
            "- {Dense: 3, ReLU: null}",
            'layers[1]: an entry must name one layer, its arguments indented below it. Received: "Dense", "ReLU"',
        ),
        ("- {}", "layers[1]: an entry must name one layer, its arguments indented below it. Received: none"),
        ("- 3", "layers[1]: an entry must be the name of a layer or block. Received: 3"),
        ("- [Dense]", "layers[1]: an entry must be the name of a layer or block. Received: a list"),
        ("- Add: 3", ".Add: Add takes no value. Received: 3"),
        (
            "- Dropout: 1.5",
            ".Dropout: Invalid value received for argument `rate`. Expected a float value between 0 and 1. Received: rate=1.5",
        ),
        ("- Dropout: x", ".Dropout: must be a number. Received: 'x'"),
        ("- Dense: {units: 4, name: a/b}", ".Dense: Argument `name` must be a string and cannot contain character `/`"),
        ("- Dense: {units: 4, dtype: flaot32}", ".Dense: Cannot convert 'flaot32'"),
        ("- Dense: {units: 4, trainable: 1}", ".Dense.trainable: must be true or false. Received: 1"),
        (
            "- GroupNormalization: {groups: 3}",
            ".GroupNormalization: Number of groups (3) must be a multiple of the number of channels (4).",
        ),
        ("- Reshape: [7]", ".Reshape: The total size of the tensor must be unchanged."),
        ("- GroupPooling: min", ".GroupPooling: unknown value. Received: 'min'. Known: max, mean."),
        ("- Dense: {units: 4, data_format: channels_first}", ".data_format: unknown argument."),
        (
            "- MaxPooling2D: {data_format: channels_first}",
            ".MaxPooling2D.data_format: unknown value. Received: 'channels_first'. Did you mean \"channels_last\"?",
        ),
    ],
)
def test_in_a_network(entry, message, in_network, error_of):
    text = error_of(in_network(entry))
    assert message in text
    assert "\n" not in text
    line = 12 if "blocks.unit.body" in message else 15
    assert text.startswith(f"net.yaml:{line}: {'blocks.unit' if line < 15 else 'layers[1]'}")


def test_the_line_is_that_of_the_argument(in_network, error_of):
    text = error_of(in_network("- GroupConv2D:\n    filters: 3\n    kernel_size: 3\n    fitlers: 3"))
    assert text == 'net.yaml:18: layers[1].GroupConv2D.fitlers: unknown argument. Did you mean "filters"?'


def test_names_given_twice(in_network, error_of):
    text = error_of(in_network("- Dense: {units: 4, name: a}\n- Dense: {units: 4, name: a}"))
    assert (
        text
        == 'net.yaml:16: layers[2].Dense: the name "a" is given to two layers; in a repeat, add its index: "a_${i}"'
    )


def test_the_name_of_the_input_is_taken(in_network, error_of):
    text = error_of(in_network("- Dense: {units: 4, name: input_layer}"))
    assert text.startswith('net.yaml:15: layers[1].Dense: the name "input_layer" is given to two layers')


def test_calls_are_shown_innermost_first(in_network, error_of):
    text = in_network("- outer").replace("blocks:\n", "blocks:\n  outer:\n    body: [{unit: {filters: x}}]\n")
    assert error_of(text).endswith("Received: 'x' (called at lines 10, 17)")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"filtesr": 3}, 'net.yaml:3: params.filtesr: unknown parameter. Did you mean "filters"?'),
        ({"filters": "a"}, "net.yaml:3: params.filters: must be a whole number, as its default 4. Received: 'a'"),
        ({"filters": 2.5}, "net.yaml:3: params.filters: must be a whole number, as its default 4. Received: 2.5"),
        ({"filters": True}, "net.yaml:3: params.filters: must be a whole number, as its default 4. Received: true"),
        ({"filters": None}, "net.yaml:3: params.filters: must be a whole number, as its default 4. Received: nothing (null)"),
        ({"flag": 1}, "net.yaml:3: params.flag: must be true or false, as its default True. Received: 1"),
        ({"words": 1}, "net.yaml:3: params.words: must be a text, as its default 'text'. Received: 1"),
        ({"table": [1]}, "net.yaml:3: params.table: must be a table, as its default {'Z2': 1, 'D4': 2}. Received: a list"),
        ({"filters": print}, "net.yaml:3: params.filters: a spec holds texts, numbers, true, false, null, lists and mappings."),
        ({"filters": float("nan")}, "net.yaml:3: params.filters: numbers must be finite. Received: nan"),
        ({"filters": 10**20}, "net.yaml:3: params.filters: whole numbers must lie within"),
    ],
)  # fmt: skip
def test_parameters(params, message, in_network, error_of):
    assert message in error_of(in_network("- ReLU"), **params)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("spec: 1", "spec: 2", "net.yaml:1: spec: this version reads spec: 1. Received: 2"),
        ("spec: 1\n", "", 'net.yaml:1: a spec needs the key "spec"'),
        ("name: net", "nmae: net", 'net.yaml:2: nmae: unknown key. Did you mean "name"?'),
        ("name: net", "name: a b", "net.yaml:2: name: must be letters, digits and _, beginning with a letter. Received: 'a b'"),
        ("name: net", "name: " + "n" * 101, "net.yaml:2: name: must have at most 100 letters. Received: 101"),
        ("[8, 8, 1]", "[8, 8, x]", "net.yaml:4: input.shape: must be a list of sizes from 1 to 100000 without the batch axis"),
        ("[8, 8, 1]", "[8, 8, 0]", "null where unknown. Received: [8, 8, 0]"),
        ("[8, 8, 1]", "[8, 8, null]", "net.yaml:4: input.shape: the last size, the channels, must be known"),
        ("shape: [8", "shpae: [8", 'net.yaml:4: input.shpae: unknown key. Did you mean "shape"?'),
        ("[8, 8, 1]", "[8, 8, 1], dtype: flaot32", "net.yaml:4: input.dtype: must be one of float16, bfloat16, float32"),
        ("LiftingConv2D: {group: D4", "LiftingConv: {group: D4", 'net.yaml:6: defaults.LiftingConv: unknown layer. Did you mean "LiftingConv2D"?'),
        ("LiftingConv2D: {group", "LiftingConv2D: {gruop", 'net.yaml:6: defaults.LiftingConv2D.gruop: unknown argument. Did you mean "group"?'),
        ("LiftingConv2D: {group: D4, padding: same}", "LiftingConv2D: D4", "net.yaml:6: defaults.LiftingConv2D: the defaults of a layer must be a mapping. Received: 'D4'"),
        ("    body:\n", "    bdoy:\n", 'net.yaml:11: blocks.unit.bdoy: unknown key. Did you mean "body"?'),
        ("  unit:\n", "  Unit:\n", "net.yaml:9: blocks.Unit: a block's name must be a plain word that begins in lower case"),
        ("filters: 4", "order: 4", "net.yaml:3: params.order: a parameter's name must be a plain word. Received: 'order'"),
        ("filters: 4", "for: 4", "net.yaml:3: params.for: a parameter's name must be a plain word. Received: 'for'"),
        ("filters: 4", 'filters: "${flags}"', 'net.yaml:3: params.filters: unknown parameter "flags". Did you mean "flag"?'),
        ("filters: 4", 'filters: "${other}", other: "${filters}"', "in a circle: filters -> other -> filters"),
    ],
)  # fmt: skip
def test_around_the_layers(old, new, message, in_network, error_of):
    text = in_network("- ReLU")
    assert old in text
    assert message in error_of(text.replace(old, new, 1))


def test_no_layers(error_of):
    head = "spec: 1\nname: net\ninput: {shape: [8]}\nlayers: "
    assert error_of(head + "[]") == "net.yaml:4: layers: a network needs at least one layer"
    assert error_of(head + "ReLU") == "net.yaml:4: layers: `layers` must be a list. Received: 'ReLU'"


def test_blocks_that_call_each_other(error_of):
    text = "spec: 1\nname: net\ninput: {shape: [8]}\nblocks:\n  a: {body: [b]}\n  b: {body: [a]}\nlayers: [a]\n"
    assert "blocks.b.body[0].a: blocks must not call themselves: a -> b -> a" in error_of(text)


def test_no_such_spec(tmp_path):
    with pytest.raises(SpecError) as caught:
        build_from_spec("p4m_resent")
    assert str(caught.value) == (
        'p4m_resent: there is no such file, nor a packaged spec of this name. Did you mean "p4m_resnet"?'
    )
    with pytest.raises(SpecError, match="Known: all_cnn, "):
        build_from_spec(tmp_path / "xyzzy.yaml")
    with pytest.raises(SpecError, match="the file cannot be read: Is a directory"):
        build_from_spec(tmp_path)
    with pytest.raises(SpecError, match="no such file"):
        build_from_spec("x" * 5000)
    with pytest.raises(SpecError, match="no such file"):
        build_from_spec("a\0b.yaml")


def test_sources_of_other_types():
    with pytest.raises(TypeError, match="A spec must be a path, the name of a packaged spec, or a dict. Received: 3"):
        load_spec(3)


def test_dicts_have_no_lines():
    with pytest.raises(SpecError) as caught:
        load_spec({"spec": 1, "name": "net", "input": {"shape": [8]}, "layers": [{"Dense": {"unist": 3}}]})
    assert str(caught.value) == 'net: layers[0].Dense.unist: unknown argument. Did you mean "units"?'


def test_problems_are_data(in_network, write):
    with pytest.raises(ValueError, match="unknown layer") as caught:
        build_from_spec(write(in_network("- Dens: 3")))
    (problem,) = caught.value.problems
    assert (problem.where.source, problem.where.line, problem.where.path) == ("net.yaml", 15, "layers[1].Dens")
    assert (problem.severity, problem.message) == ("error", 'unknown layer. Did you mean "Dense"?')
