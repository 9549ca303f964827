"""Specs from strangers: whatever is in them, a SpecError soon, never a hang, a crash or somebody else's code."""

# ruff: noqa: E501 (one line for each case)

import contextlib
import os
import random
import re
import time
from pathlib import Path

import pytest

from keras_equivariant.compiler import SpecError, build_from_spec, lint, list_specs, load_spec
from keras_equivariant.compiler.grammar import registry

HEAD = "spec: 1\nname: net\ninput: {shape: [8, 8, 1]}\n"
SECONDS = 10  # hostile input takes one or two at most; what this catches takes hours


def blocks(bottom, count):
    lines = "".join(f"  b{i}: {{body: [b{i - 1}, b{i - 1}]}}\n" for i in range(1, count))
    return f"{HEAD}blocks:\n  b0: {{body: {bottom}}}\n{lines}layers: [b{count - 1}]"


def params(first, rest, count, order=1):
    lines = [f"  p0: {first}", *(f"  p{i}: {rest.replace('#', f'${{p{i - 1}}}')}" for i in range(1, count))][::order]
    return f"{HEAD}params:\n" + "\n".join(lines) + "\nlayers: [ReLU]"


REPEAT = "repeat: {times: 2000, body: [%s]}"
HOSTILE = {
    "alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "anchors (&) and aliases (*) are not allowed"),
    "code in a tag": (HEAD + "layers: !!python/object/apply:os.system ['touch pwned']", "tags are not allowed"),
    "deep flow": ("[" * 400_000, "a spec must be nested at most 40 deep"),
    "deep mappings": ("{a: " * 100_000, "a spec must be nested at most 40 deep"),
    "deep blocks": ("\n".join(" " * i + "a:" for i in range(1000)), "a spec must be nested at most 40 deep"),
    "large file": ("# " + "x" * 1_000_000, "a spec must have at most 1000000 bytes"),
    "large text": (HEAD + "description: " + "x" * 900_000, "a text must have at most 5000 characters"),
    "many entries": (HEAD + "layers:\n" + "- ReLU\n" * 120_000, "a spec must have at most 20000 values"),
    "many braces": ("${" * 100_000, "a text must have at most 5000 characters"),
    "empty repeats": (HEAD + f"layers: [{REPEAT % REPEAT % REPEAT % ''}]", "must unroll in at most 20000 steps"),
    "repeats": (HEAD + f"layers: [{REPEAT % REPEAT % 'ReLU'}]", "a network must have at most 2000 layers"),
    "doubling blocks": (blocks("[ReLU]", 35), "a network must have at most 2000 layers"),
    "doubling empty blocks": (blocks("[]", 35), "must unroll in at most 20000 steps"),
    "deep calls": (blocks("[ReLU]", 60).replace(", b", ", c"), "must be nested at most 40 deep"),
    "doubling lists": (params("[1, 1]", "[#, #]", 20), "a list must have at most 10000 values"),
    "nesting lists": (params("[1]", "[#]", 60), "nested at most 40 deep"),
    "long chain": (params("1", "#", 60, order=-1), "at most 20 parameters may follow one from another"),
    "large power": (params('"${9 ** 9 ** 9}"', "1", 2), "powers must have a base within"),
    "repeated text": (params('"${' + "'x' * 10 ** 9" + '}"', "1", 2), "arithmetic takes numbers"),
    "growing text": (params("x" * 900, "#" * 10, 3), "a text must have at most 1000 characters once it is filled in"),
    "wide layer": (HEAD + "layers: [{Dense: 100000}, {Dense: 100000}]", "a layer must have at most 100,000,000 parameters"),
    "wide network": (HEAD + "layers: [{Dense: 5000}, {repeat: {times: 90, body: [{Dense: 5000}]}}]", "a network must hold at most 65,000,000"),
    "heavy layer": (HEAD.replace("[8, 8, 1]", "[7000]") + "layers: [{Dense: 7000}]", "a layer must hold at most 32,000,000 weights"),
    "large number": (HEAD + "layers: [{Dense: 10000000}]", "must be a whole number from 1 to 100000"),
    "large kernel": (HEAD + "layers: [{LiftingConv2D: {filters: 1, kernel_size: 5000, group: D4}}]", 'kernel_size=5000 is too large for the group "D4"'),
    "large group": (HEAD + "layers: [{LiftingConv2D: {filters: 1, kernel_size: 3, group: C9999}}]", "must be an integer from 1 to 720"),
    "group of many factors": (HEAD.replace("[8, 8, 1]", "[8]") + f"layers: [{{SteerableDense: {{out_type: 1xregular, group: {'x'.join(['C1'] * 1500)}}}}}]", "at most 12 coordinates"),
    "largest product": (HEAD.replace("[8, 8, 1]", "[8]") + "layers: [{SteerableDense: {out_type: 9999999xregular, group: D180xC2}}]", "at most 30000000 entries together"),
    "large shape": ("spec: 1\nname: net\ninput: {shape: [8, 100000000]}\nlayers: [PReLU]", "must be a list of sizes"),
    "large slopes": ("spec: 1\nname: net\ninput: {shape: [99999, 99999, 1]}\nlayers: [PReLU]", "a layer must have at most 100,000,000 parameters"),
    "harmonic kernel": (HEAD + "layers: [{HarmonicConv2D: {filters: 1, kernel_size: 2000}}]", "kernel_size=2000 is too large"),
    "points of a large image": ("spec: 1\nname: net\ninput: {shape: [100000, 100000, 1]}\nlayers: [ImageToPoints, {LieLift: T2}]", "must have at most 1,000,000 points"),
    "orthogonal values": ("spec: 1\nname: net\ninput: {shape: [7000]}\nlayers: [{Dense: {units: 7000, kernel_initializer: orthogonal}}]", "products to be orthogonal"),
    "negative scale": (HEAD + "layers: [{Conv2D: {filters: 1, kernel_size: 3, kernel_initializer: {VarianceScaling: {scale: -1}}}}]", "VarianceScaling does not take these values"),
    "axes that are not there": ("spec: 1\nname: net\ninput: {shape: [8]}\nlayers: [{PReLU: {shared_axes: [3]}}]", "net.yaml:4: layers[0].PReLU"),
    "many groups": (HEAD + "layers: [{repeat: {times: 300, index: i, body: [{LiftingConv2D: {filters: 1, kernel_size: 1, group: 'C${i + 1}'}}]}}]", "a network must have at most 12 different groups"),
    "import path": (HEAD + "layers: [{keras.layers.Lambda: {function: x}}]", "unknown layer"),
    "code in an initializer": (HEAD + "layers: [{Dense: {units: 1, kernel_initializer: {class_name: os.system, config: {}}}}]", "must be the name of one of keras.initializers"),
    "code in an activation": (HEAD + "layers: [{Activation: {class_name: Lambda, config: {}}}]", "unknown argument"),
    "code in an optimizer": (HEAD + "layers: [ReLU]\ntraining: {optimizer: {os.system: {}}}", "unknown name"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_specs(name, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, message = HOSTILE[name]
    path = write(text)
    start = time.perf_counter()
    with pytest.raises(SpecError) as caught:
        build_from_spec(path)
    assert message in str(caught.value)
    assert time.perf_counter() - start < SECONDS
    assert os.listdir(tmp_path) == ["net.yaml"]


def test_deep_and_circular_dicts():
    source = {"spec": 1, "name": "net", "input": {"shape": [8]}, "layers": []}
    source["layers"].append(source["layers"])
    with pytest.raises(SpecError, match="a spec must be nested at most 40 deep"):
        load_spec(source)
    with pytest.raises(SpecError, match="a spec must have at most 20000 values"):
        load_spec({**source, "layers": ["ReLU"] * 30_000})


def test_a_table_of_many_groups_is_looked_up_by_name(write):
    table = ", ".join(f"{letter}{n}: {n}" for letter in "CD" for n in range(5, 359))
    spec = HEAD + "params: {t: {" + table + ", p4: 4}}\nlayers: [{Dense: \"${t['C4'] + t['d7']}\"}]"
    start = time.process_time()
    assert load_spec(write(spec)).layers[0].arguments["units"] == 11
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "nobody", "null", "loop", "line"])
def test_what_is_no_file(kind, tmp_path):
    path = tmp_path / "odd.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    other = {"device": "/dev/zero", "nobody": "~nosuchuser/x.yaml", "null": "a\0.yaml", "line": "a\nb.yaml"}
    with pytest.raises(SpecError, match=r"must be a regular file|no such file|cannot be read") as caught:
        load_spec(other.get(kind, path))
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_cannot_be_read(write):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = write(HEAD)
    path.chmod(0)
    with pytest.raises(SpecError, match="net.yaml: the file cannot be read: Permission denied"):
        build_from_spec(path)


def mutated(text, draw):
    """A spec with a few words or characters exchanged, or lines lost."""
    words = [
        "null",
        "[]",
        "{}",
        "-1",
        "0",
        "1.5",
        "true",
        "C8",
        "'${filters}'",
        "[1, 2]",
        "{a: 1}",
        "relu",
        "Dense",
        "unit",
    ]
    for _ in range(draw.randint(1, 3)):
        kind = draw.random()
        if kind < 0.2:
            lines = text.split("\n")
            del lines[draw.randrange(len(lines))]
            text = "\n".join(lines)
        elif kind < 0.9:
            spans = list(re.finditer(r"[A-Za-z_0-9.$]+|\"[^\"]*\"", text))
            span = draw.choice(spans)
            text = text[: span.start()] + draw.choice([*words, draw.choice(spans)[0]]) + text[span.end() :]
        else:
            i = draw.randrange(len(text))
            text = text[:i] + draw.choice("{}[]:,-# \n\t'\"&*!%@") + text[i + 1 :]
    return text


@pytest.mark.parametrize("name", list_specs())
def test_damaged_specs_are_read_or_refused(name, write):
    text = (Path(__file__).parents[2] / "specs" / f"{name}.yaml").read_text()
    draw = random.Random(name)
    refused = 0
    for _ in range(30):
        try:
            lint(write(mutated(text, draw)))
        except SpecError as error:
            refused += 1
            # What a value does to a spec that is extended is said of that spec.
            assert re.match(r"(net|e2_wrn_16_8)\.yaml(:\d+)?: ", str(error))
    assert refused > 5


USUAL = {"filters": 2, "kernel_size": 3, "units": 3, "out_type": "2x0 + 1x1", "pool_size": 2, "strides": 2}
INPUTS = ({"shape": [9, 9, 1]}, {"shape": [1, 1, 1]}, {"shape": [9, 2], "space": 2}, {"shape": [9, 2], "space": 3})


def grouped():
    return [name for name in registry.layer_classes() if "group" in registry.layer_parameters(name)]


@pytest.mark.parametrize("name", grouped())
def test_any_group_is_taken_or_refused_by_any_layer(name):
    known = registry.layer_parameters(name)
    needed = {key: USUAL.get(key, 1) for key, one in known.items() if one.default is registry.REQUIRED}
    for group in ("C1", "D4", "SO2", "O2", "T2", "SE2", "RxSO2", "O", "SO3", "SE3"):
        for shape in INPUTS:
            spec = {"spec": 1, "name": "net", "input": shape, "layers": [{name: needed | {"group": group}}]}
            with contextlib.suppress(SpecError):
                lint(spec)
