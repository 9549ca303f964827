"""The rules of the package's own architecture: who imports whom, what the library never does, what must be tested."""

import ast
import inspect
import pathlib
import re
import sys

import keras
import pytest

import keras_equivariant as ke
from keras_equivariant.compiler.grammar import kinds, registry, stock_options
from keras_equivariant.layers.core.options import OF_EVERY_LAYER, declared, of
from keras_equivariant.stock.making import channels_last

PACKAGE = pathlib.Path(ke.__file__).parent
sys.path.insert(0, str(pathlib.Path(__file__).parent / "conformance"))

# part -> the parts it may import; a part is a folder or a module of the package.
ARROWS = {
    "utils": set(),
    "groups": {"utils"},
    "kernels": {"groups", "utils"},
    "ops": {"utils"},
    "stock": {"groups", "ops", "utils"},
    "layers": {"groups", "kernels", "ops", "stock", "utils"},
    "graphs": {"groups", "layers", "stock", "utils"},
    "equivariance": {"graphs", "groups", "layers", "ops", "stock", "utils"},
    "data": {"groups", "utils"},
    "compiler": {"graphs", "groups", "layers", "stock", "utils"},
    "dynamics": {"data", "layers", "ops", "utils"},
    "export": {"graphs", "groups", "kernels", "layers", "ops", "equivariance", "stock", "utils"},
    "conversion": {
        *("compiler", "costs", "equivariance", "graphs", "groups", "layers", "ops", "stock", "transfer", "utils"),
    },
    "costs": {"compiler", "export", "graphs", "groups", "layers", "stock", "utils"},
    "demo": {"export", "presets", "training", "utils"},
    "transfer": {"groups", "layers", "equivariance", "export", "graphs", "stock", "utils"},
    "results": {"compiler", "utils"},
    "cli": {
        *("compiler", "conversion", "costs", "data", "demo", "equivariance"),
        *("export", "graphs", "presets", "results", "training"),
        "utils",
    },
    "presets": {"compiler", "data", "equivariance", "export", "graphs", "training", "utils"},
    "training": {
        *("compiler", "costs", "data", "dynamics", "equivariance", "export", "graphs", "groups", "kernels", "layers"),
        *("presets", "stock", "utils"),
    },
}
NUMPY_ONLY = ("groups", "kernels")
BACKEND_SWITCHES = (
    "ops/precision.py",
    "ops/compiled.py",
    "ops/gradient.py",
    "ops/portable_gradient.py",
    "export/",
    "transfer/escnn_trace.py",
    "transfer/escnn_writer.py",
)  # it runs beside escnn
MAX_LINES = 400


def sources(*parts):
    for part in parts or [""]:
        yield from sorted((PACKAGE / part).rglob("*.py"))


def imports(path):
    """Absolute module names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            if node.module == "keras_equivariant":
                yield from (f"keras_equivariant.{alias.name}" for alias in node.names)


def own_parts(path):
    names = (name.split(".") for name in imports(path))
    return {name[1] for name in names if name[0] == "keras_equivariant" and len(name) > 1}


@pytest.mark.parametrize("part", ARROWS)
def test_imports_follow_the_arrows(part):
    for path in sources(part):
        strangers = own_parts(path) - ARROWS[part] - {part, "version"}
        assert not strangers, f"{path.relative_to(PACKAGE)} may not import {sorted(strangers)}"


def module_graph():
    """Module name -> the package's modules that its file imports, wherever in it, functions included."""
    paths = {
        ".".join(("keras_equivariant", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in sources()
    }
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    graph = {}
    for name, path in paths.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                parts = [f"{node.module}.{alias.name}" for alias in node.names]
                found |= {part if part in paths else node.module for part in parts}
        graph[name] = sorted(found & set(paths) - {name})
    return graph


def circle(graph):
    """Modules that import each other, one after the other; empty where there is no circle."""
    done = set()

    def walk(name, way):
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        found = next((found for other in graph[name] if (found := walk(other, [*way, name]))), [])
        done.add(name)
        return found

    return next((found for name in graph if (found := walk(name, []))), [])


def test_no_imports_go_in_a_circle():
    graph = module_graph()
    assert not circle(graph), " -> ".join(circle(graph))
    # Control: one import more in the other direction is found.
    graph["keras_equivariant.groups.group"].append("keras_equivariant.groups.finite")
    assert "keras_equivariant.groups.group" in circle(graph)


def test_groups_say_themselves_what_they_are():
    classes = {"FiniteGroup", "ContinuousGroup", "LieGroup", "LieSample"}
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "isinstance":
                named = {getattr(n, "id", getattr(n, "attr", None)) for n in ast.walk(node.args[1])}
                found += [path.relative_to(PACKAGE).as_posix()] * bool(named & classes)
    assert found, "the test finds none at all"
    strangers = {name for name in found if not name.startswith("groups/")}
    assert not strangers, f"{sorted(strangers)} ask for a group's class; ask for is_finite, orthogonal, is_lie, ..."


def test_every_part_has_its_arrows():
    parts = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert parts - {"__pycache__"} == set(ARROWS)


@pytest.mark.parametrize("part", NUMPY_ONLY)
def test_groups_and_kernels_know_no_framework(part):
    for path in sources(part):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"keras", "tensorflow", "jax", "torch"}, path.name


def test_backends_are_named_only_where_allowed():
    for path in sources():
        where = path.relative_to(PACKAGE).as_posix()
        allowed = where.startswith((*BACKEND_SWITCHES, "data/", "training/"))
        roots = {name.split(".")[0] for name in imports(path)}
        assert allowed or not roots & {"tensorflow", "jax", "torch"}, f"{where} imports a backend"


def test_no_backend_is_imported_at_the_top():
    for path in sources():
        for node in ast.parse(path.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.split(".")[0] for n in names} & {"tensorflow", "jax", "torch"}, path.name


def test_no_private_keras_api():
    for path in sources():
        assert not [name for name in imports(path) if name.startswith("keras.src")], path.name


def test_library_neither_asserts_nor_prints():
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.Assert), f"{path.name}:{node.lineno} asserts; raise ValueError instead"
            called = getattr(getattr(node, "func", None), "id", None)
            printing = isinstance(node, ast.Call) and called == "print"
            assert not printing, f"{path.name}:{node.lineno} prints"


def test_files_are_short():
    long = [p.name for p in sources() if len(p.read_text().splitlines()) > MAX_LINES]
    assert not long


def test_test_files_have_names_of_their_own():
    """pytest imports them by their names alone."""
    names = [path.name for path in pathlib.Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_names_are_exported_explicitly():
    for path in sources():
        assert "import *" not in path.read_text(), path.name
    for name in ke.__all__:
        assert hasattr(ke, name)


def test_catalogue_is_complete():
    from catalogue import CATALOGUE

    tested = {case.layer.__name__ for case in CATALOGUE}
    assert tested >= set(ke.layers.__all__)
    assert tested - set(ke.layers.__all__) <= {"SteerableTensorProduct"}  # of two tensors, hence no layer of specs


def test_every_option_is_in_the_catalogue():
    from catalogue import CATALOGUE

    for layer in {case.layer for case in CATALOGUE}:
        bases = [base for base in layer.__mro__ if base.__module__.startswith("keras_equivariant")]
        bases = [base for base in bases if "__init__" in vars(base)]
        for i, base in enumerate(bases):
            # Layers that share a constructor share its options, and those that a base declares are the base's;
            # `strict` makes no other layer; test_rotated_convolutions has both of its values.
            elsewhere = {"strict"}.union(*(declared(other.__init__) for other in bases[i + 1 :]))
            used = set().union(*(case.arguments for case in CATALOGUE if issubclass(case.layer, base)))
            missing = set(declared(base.__init__)) - elsewhere - used
            assert not missing, f"{layer.__name__}: {sorted(missing)} of {base.__name__} in no case of the catalogue"


def test_every_public_docstring_states_its_law():
    for name in ke.layers.__all__:
        text = getattr(ke.layers, name).__doc__
        for heading in ("Input shape:", "Output shape:", "Equivariance:", "Example:", "Reference:"):
            assert heading in text, f"{name} lacks {heading!r}"


# Operations of keras.ops have no public classes: only their names tell what they do.
MAY_TEST_NAMES = {
    "export/folding/coefficients.py",
    "graphs/symmetry.py",
    "layers/core/source_layout.py",
    "stock/operations.py",
    "transfer/rules.py",
    "export/folding/rules.py",
}
GENERIC = ("compiler/linter", "costs", "equivariance", "export/folding", "graphs", "layers/core", "stock", "transfer")


def class_names_tested(tree):
    """Lines that compare the name of a class, or look into it."""

    def is_name(node):
        return isinstance(node, ast.Attribute) and (
            node.attr == "__name__" or (node.attr == "layer" and getattr(node.value, "id", "") == "entry")
        )

    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(map(is_name, [node.left, *node.comparators])):
            operators = [type(op) for op in node.ops]
            constants = [n for n in [node.left, *node.comparators] if not is_name(n)]
            if operators != [ast.Is] and not all(isinstance(n, ast.Subscript) for n in constants):
                yield node.lineno
        if isinstance(node, ast.Attribute) and node.attr in ("startswith", "endswith") and is_name(node.value):
            yield node.lineno


def test_generic_code_tests_no_class_names():
    for path in sources(*GENERIC):
        where = path.relative_to(PACKAGE).as_posix()
        found = list(class_names_tested(ast.parse(path.read_text())))
        assert where in MAY_TEST_NAMES or not found, f"{where}:{found} asks for a class by its name"


def test_the_search_for_class_names_finds_them():
    for text in ('type(x).__name__ == "Dense"', "entry.layer in NAMES", 'type(x).__name__.startswith("Lie")'):
        assert list(class_names_tested(ast.parse(text))) == [1]
    assert list(class_names_tested(ast.parse('f"{type(x).__name__} takes"'))) == []


def test_stock_layers_stand_in_one_table():
    """No other collection of the library lists Keras's layers by name or class, but for tables of rules."""
    from keras_equivariant.stock.traits import TABLE

    names = {cls.__name__ for cls in TABLE}
    for path in sources():
        where = path.relative_to(PACKAGE).as_posix()
        if where == "stock/traits.py" or where.endswith("__init__.py"):  # which export namesakes of ours
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
                listed = [getattr(item, "value", None) for item in node.elts if isinstance(item, ast.Constant)]
                listed += [item.attr for item in node.elts if isinstance(item, ast.Attribute)]
                assert len(names.intersection(map(str, listed))) < 3, f"{where}:{node.lineno} lists stock layers"


PUBLIC_LAYERS = [getattr(ke.layers, name) for name in ke.layers.__all__]


def parents_of_keras(layer):
    """The options that a layer inherits from a stock layer, in whichever version of Keras, by `**kwargs`."""
    stock = [base for base in layer.__mro__ if base.__module__.split(".")[0] == "keras"]
    return {*OF_EVERY_LAYER, "activity_regularizer"}.union(*(declared(base.__init__) for base in stock))


@pytest.mark.parametrize("layer", PUBLIC_LAYERS, ids=lambda layer: layer.__name__)
def test_signatures_show_every_option(layer):
    kinds_of_parameters = [p.kind for p in inspect.signature(layer).parameters.values()]
    assert inspect.Parameter.VAR_POSITIONAL not in kinds_of_parameters
    shown = set(declared(layer.__init__))
    for base in layer.__mro__[1:]:
        if base.__module__.startswith("keras_equivariant") and "__init__" in vars(base):
            hidden = set(declared(base.__init__)) - shown - parents_of_keras(layer) - NOT_OPTIONS.get(layer, set())
            assert not hidden, f"{layer.__name__} hides {sorted(hidden)} of {base.__name__} in **kwargs"


# Of a complex convolution, whose bias and activation are the layer behind it.
NOT_OPTIONS = {
    ke.layers.HarmonicConv2D: {
        *("activation", "use_bias", "bias_initializer", "bias_regularizer", "bias_constraint"),
    }
}


def test_signatures_equal_configurations():
    from catalogue import CATALOGUE

    for case in CATALOGUE:
        layer = case.make()
        options = {n for n, p in declared(case.layer.__init__).items() if of(p.annotation).kept}
        config = layer.get_config()
        assert options <= set(config), f"{case}: {sorted(options - set(config))} in no configuration"
        strangers = set(config) - options - parents_of_keras(case.layer)
        assert not strangers, f"{case}: {sorted(strangers)} in no signature"
        again = case.layer.from_config(config)
        assert again.get_config() == config


def test_an_option_is_of_one_kind_in_a_layer_and_its_bases():
    for layer in PUBLIC_LAYERS:
        found = {}
        for base in layer.__mro__:
            if not base.__module__.startswith("keras_equivariant") or "__init__" not in vars(base):
                continue
            for name, parameter in declared(base.__init__).items():
                first = found.setdefault(name, parameter)
                same = of(first.annotation) == of(parameter.annotation)
                assert same, f"{layer.__name__}: `{name}` is another kind of option in {base.__name__}"


def test_every_option_declares_its_kind():
    for layer in PUBLIC_LAYERS:
        for name, parameter in declared(layer.__init__).items():
            where = f"{layer.__name__}.{name}"
            assert parameter.annotation is not inspect.Parameter.empty, f"{where} has no annotation"
            plain_values = kinds.kind(parameter.annotation) is kinds.kind(inspect.Parameter.empty)
            assert not plain_values, f"{where}: a specification cannot tell what {parameter.annotation} is"
            nullable = kinds.kind(parameter.annotation).schema.get("anyOf", [])
            assert parameter.default is not None or {"type": "null"} in nullable, (
                f"{where} = None, and null is no value"
            )


def test_every_argument_of_a_stock_layer_is_declared():
    for name, layer in registry.layer_classes().items():
        if not layer.__module__.startswith("keras."):
            continue
        for argument, parameter in registry.parameters(name).items():
            assert parameter.annotation is not inspect.Parameter.empty, f"{name}.{argument} is in no row of the table"
    used = {a for name in registry.layer_classes() for a in registry.parameters(name)}
    for row in stock_options.ANNOTATIONS:
        assert row.split(".")[-1] in used or row.startswith("renorm"), f"{row} is an argument of no layer"


@pytest.mark.parametrize("layer", PUBLIC_LAYERS, ids=lambda layer: layer.__name__)
def test_docstrings_say_what_every_option_is(layer):
    text = layer.__doc__[layer.__doc__.index("Args:") : layer.__doc__.index("Input shape:")]
    together = {"_initializer": "initializers", "_regularizer": "regularizers", "_constraint": "constraints"}
    for name in declared(layer.__init__):
        plural = next((words for suffix, words in together.items() if name.endswith(suffix)), name)
        assert re.search(rf"\b({name}|{plural})\b", text), f"the docstring of {layer.__name__} lacks `{name}`"


def _makes_without_format(path):
    """Calls in a file that make a layer of Keras, or a convolution, for which Keras's global format would decide."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or any(word.arg == "data_format" for word in node.keywords):
            continue
        name = ast.unparse(node.func)
        owner, _, last = name.rpartition(".")
        made = getattr(keras.layers, last, None) if owner in ("keras.layers", "layers") else None
        ours = owner == "layers" and hasattr(ke.layers, last)
        if isinstance(made, type) and not ours and channels_last(made):
            yield f"{path.name}:{node.lineno}: {name}"
        elif owner in ("ops", "keras.ops", "kops") and last in ("conv", "conv_transpose", "depthwise_conv", "max_pool"):
            yield f"{path.name}:{node.lineno}: {name}"


def test_stock_layers_are_made_with_their_channels_last():
    assert not [found for path in sources() for found in _makes_without_format(path)]
