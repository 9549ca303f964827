"""Random damage to specs, of bytes, trees, expressions and files: each is read, refused as a SpecError, or wrong.

    python tests/laws/spec_search.py COUNT SEED       prints what so many mutants did

Wrong is any other exception, more than five seconds (a minute where it is built), or more than a gibibyte of memory:
the process may take that much beyond what it has, so that a larger request fails as a MemoryError.
"""

import collections
import contextlib
import copy
import functools
import os
import random
import re
import resource
import string
import sys
import tempfile
import time
import warnings
from pathlib import Path

import keras
import yaml

from keras_equivariant.compiler import SpecError, build_from_spec, lint, list_specs
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.compiler.grammar import source as sources

SECONDS, MEMORY = {"lint": 5, "build": 60}, 2**30  # a whole published network takes some time to build
SPECS = Path(__file__).parents[2] / "specs"
GROUPS = ("C1", "C4", "D4", "D6", "C720", "D360", "p4m", "Z3", "O", "Oh", "SO2", "O2", "SO3", "O3", "SE2", "T2", "I")
GROUPS += ("Cinfv", "D4xC2")
WORDS = (
    *GROUPS,
    "same",
    "valid",
    "relu",
    "prelu",
    "max",
    "mean",
    "orthogonal",
    "he_normal",
    "bfloat16",
    "a b",
    "é",
    "\0",
)
NUMBERS = (0, 1, -1, 2, 3, 4, 7, 64, 1000, 2000, 30_000, 99_999, 100_000, 2**31, 2**53, 0.5, -0.5, 1e-300, 1e300, 1.5)
TYPES = ("8x0 + 4x1", "1xregular", "1x0+", "1xquotient(C2)", "2x9", "99999xregular", "1x700", "x", "1x0 + ")
PARTS = ({"VarianceScaling": {"scale": -1}}, {"Orthogonal": 1e300}, {"RandomNormal": {"stddev": "a"}}, {"L2": "x"})
PARTS += ({"MaxNorm": -1}, {"UnitNorm": 7}, {"Constant": "x"}, {"TruncatedNormal": {"seed": -3}}, {"L1L2": None})
EXPRESSIONS = (
    "2 ** 99999",
    "1 / 0",
    "t['p4m']",
    "order('SO3')",
    "[1] * 9",
    "-1",
    "9 % 0",
    "len(3)",
    "max()",
    "int('a')",
)
EXPRESSIONS += (
    "filters * 1e18",
    "round(0.5, 3)",
    "((((1))))",
    "a.b",
    "lambda: 1",
    "x if y else z",
    "1 in 2",
    "~1",
    "'",
)
SHAPES = (
    [8, 8, 1],
    [8],
    [1],
    [6, 6, 6, 1],
    [None, None, 2],
    [100_000, 100_000, 1],
    [16, 3],
    [1, 1, 1],
    [99_999, 99_999],
)


def value(rng, depth=0):
    """Any value, far out more often than not."""
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(NUMBERS)
    if kind < 0.5:
        return rng.choice(WORDS)
    if kind < 0.58:
        return rng.choice(TYPES)
    if kind < 0.66:
        return rng.choice((True, False, None))
    if kind < 0.74:
        return "${" + rng.choice(EXPRESSIONS) + "}"
    if kind < 0.84:
        return rng.choice(PARTS)
    if depth > 2 or kind < 0.9:
        return [rng.choice(NUMBERS[:12]) for _ in range(rng.randrange(5))]
    return [value(rng, depth + 1) for _ in range(rng.randrange(4))]


def entry(rng):
    """A layer with random options."""
    name = rng.choice(list(registry.layer_classes()))
    known = registry.layer_parameters(name)
    needed = [k for k, p in known.items() if p.default is registry.REQUIRED]
    chosen = {*needed, *rng.sample(list(known), min(len(known), rng.randrange(3)))}
    usual = {"filters": 2, "kernel_size": 3, "group": "C4", "units": 3, "out_type": "2x0 + 1x1", "pool_size": 2}
    return {name: {k: usual[k] if k in usual and rng.random() < 0.7 else value(rng) for k in sorted(chosen)}}


def of_layers(rng):
    """Random layers with random options on an input of a random shape."""
    spec = {"spec": 1, "name": "net", "input": {"shape": rng.choice(SHAPES)}, "params": {"filters": 4, "t": {"D4": 1}}}
    if rng.random() < 0.15:
        spec["input"] = {"shape": rng.choice([[9, 2], [1000, 1], [100_000, 3]]), "space": rng.choice([1, 2, 3])}
    return {**spec, "layers": [entry(rng) for _ in range(rng.randrange(1, 4))]}


def places(tree, found=None):
    """All `(container, key)` of a tree."""
    found = [] if found is None else found
    for key, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
        found.append((tree, key))
        if isinstance(item, dict | list):
            places(item, found)
    return found


def of_tree(rng, plain):
    """A spec with some values exchanged, copied elsewhere, lost or renamed."""
    tree = copy.deepcopy(plain)
    for _ in range(rng.randint(1, 3)):
        found = places(tree)
        if not found:
            break
        container, key = rng.choice(found)
        kind = rng.random()
        if kind < 0.5:
            container[key] = value(rng)
        elif kind < 0.65:
            other, name = rng.choice(found)
            container[key] = copy.deepcopy(other[name])
        elif kind < 0.8:
            del container[key]
        elif kind < 0.9 and isinstance(container, list):
            container.insert(key, entry(rng))
        elif isinstance(container, dict):
            container[rng.choice(WORDS)] = container.pop(key)
    return tree


def of_expression(rng, text):
    """A spec whose expressions, or some of its values, are others."""
    found = list(re.finditer(r"\$\{[^{}]*\}", text)) or list(re.finditer(r"(?<=: )[^\s{\[,}\]]+", text))
    span = rng.choice(found)
    tokens = re.findall(r"\w+|[^\w\s]", span[0].strip("${}"))
    for _ in range(rng.randint(1, 3)):
        tokens.insert(
            rng.randrange(len(tokens) + 1), rng.choice([*EXPRESSIONS, *"+-*/%()[]<>=,", "**", " if ", "not "])
        )
    return text[: span.start()] + '"${' + " ".join(tokens).replace('"', "'") + '}"' + text[span.end() :]


def of_bytes(rng, text):
    """A spec with bytes or words exchanged, lost, doubled or cut off."""
    content = bytearray(text.encode())
    for _ in range(rng.randint(1, 4)):
        i, kind = rng.randrange(len(content) + 1), rng.random()
        if kind < 0.3:
            content[i : i + 1] = bytes([rng.randrange(256)])
        elif kind < 0.5:
            content[i : i + rng.randrange(20)] = b""
        elif kind < 0.7:
            content[i:i] = content[i : i + rng.randrange(60)]
        elif kind < 0.75:
            content = content[:i] or bytearray(b"x")
        else:
            content[i:i] = rng.choice(string.punctuation).encode() * rng.choice([1, 1, 2, 50])
    return bytes(content)


def of_file(rng, folder):
    """A source that is no readable spec: a folder, a FIFO, a device, a name of nothing."""
    kind = rng.randrange(9)
    path = folder / f"odd{kind}.yaml"
    if kind == 0:
        path.mkdir(exist_ok=True)
    elif kind == 1:
        path.exists() or os.mkfifo(path)
    elif kind == 2:
        return rng.choice(["/dev/zero", "/dev/null", "/dev/random", "/dev", "/proc/self/mem", "/proc/self/environ"])
    elif kind == 3:
        return "~nosuchuser/x.yaml"
    elif kind == 4:
        path.is_symlink() or path.symlink_to(path)
    elif kind == 5:
        path.write_bytes(rng.randbytes(rng.randrange(2000)))
    elif kind == 6:
        return "".join(rng.choice("a/.~\0é\n ") for _ in range(rng.randrange(1, 300)))
    elif kind == 7:
        path.write_text(rng.choice(["[" * 90_000, "{a: " * 60_000, "- " * 100_000, "a: &x [*x]", "!!binary a", "\t"]))
    else:
        base, params = rng.choice(list_specs()), {rng.choice(["filters", "width", "group", "blocks", "x"]): value(rng)}
        path.write_text(yaml.safe_dump({"spec": 1, "name": "net", "extends": base, "params": params}))
    return str(path)


@functools.cache
def packaged():
    """`(text, plain tree)` of each packaged spec."""
    paths = sorted(SPECS.glob("*.yaml"))
    return [(path.read_text(), sources.read(path).plain()) for path in paths]


def mutant(rng, folder):
    """`(kind, source)`: the source is what `lint` and `build_from_spec` take."""
    kind = rng.choices(["layers", "tree", "expression", "bytes", "file"], [40, 25, 15, 15, 5])[0]
    if kind == "layers":
        return kind, of_layers(rng)
    if kind == "file":
        return kind, of_file(rng, folder)
    text, plain = rng.choice(packaged())
    if kind == "tree":
        return kind, of_tree(rng, plain)
    found = {"expression": of_expression, "bytes": of_bytes}[kind](rng, text)
    path = folder / "net.yaml"
    path.write_bytes(found if isinstance(found, bytes) else found.encode())
    return kind, str(path)


@contextlib.contextmanager
def bounded_memory():
    """At most a gibibyte more than now; a request beyond is a MemoryError."""
    used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) * 1024
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)


def judged(name, use, source):
    """`("read" | "refused" | a sentence on what is wrong)` of one use of a source."""
    start, wall = time.process_time(), time.monotonic()
    try:
        with bounded_memory():
            use(source)
        answer = "read"
    except SpecError as error:
        answer = "refused" if re.match(r"\S.*?: ", str(error)) else f"SpecError without a place: {error}"
    except BaseException as error:  # noqa: BLE001 (any other exception is what is searched for)
        if isinstance(error, KeyboardInterrupt):
            raise
        answer = f"{type(error).__name__}: {str(error)[:200]}"
    seconds = max(time.process_time() - start, (time.monotonic() - wall) / 20)  # of its own, and not waiting either
    return answer if seconds < SECONDS[name] else f"{seconds:.1f} s, {answer}"


def search(count, seed, folder, build_every=50):
    """What `count` mutants did: a Counter of (kind, answer), with `build_every`-th of those that are read also built.

    Returns:
        `(counts, wrong)`, a list of `(kind, answer, source)`.
    """
    counts, wrong, readable = collections.Counter(), [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lint("p4_cnn")  # what is imported and cached at first use is not the mutant's
        for i in range(count):
            rng = random.Random(f"{seed}-{i}")
            kind, source = mutant(rng, folder)
            uses = [("lint", lint)]
            while uses:
                name, use = uses.pop()
                answer = judged(name, use, source)
                counts[name, kind, answer if answer in ("read", "refused") else "wrong"] += 1
                if answer not in ("read", "refused"):
                    text = Path(source).read_bytes()[:3000] if kind in ("bytes", "expression") else source
                    wrong.append((i, f"{name} of {kind}", answer, text))
                elif name == "lint" and answer == "read":
                    readable += 1
                    if readable % build_every == 0:
                        uses.append(("build", build_from_spec))
            if i % 500 == 0:
                keras.backend.clear_session()
    return counts, wrong


def summary(counts):
    """`{use: {tried, read, refused, wrong}}` of the counts of a search."""
    found = {}
    for (use, _, answer), count in counts.items():
        row = found.setdefault(use, {"tried": 0, "read": 0, "refused": 0, "wrong": 0})
        row["tried"] += count
        row[answer] += count
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        found, faults = search(int(sys.argv[1]), sys.argv[2], Path(place), build_every=3)
    print(
        yaml.safe_dump({"found": summary(found), "faults": [[str(part)[:500] for part in fault] for fault in faults]})
    )
