"""How long the spaces of steerable kernels of large layers take to find, with nothing cached."""

import gc
import importlib
import statistics
import time

import pytest
from timing import keep

from keras_equivariant import FieldType
from keras_equivariant.kernels import steerable_basis

pytestmark = pytest.mark.benchmark
MODULES = [
    importlib.import_module(f"keras_equivariant.{name}")
    for name in (
        *("groups.registry", "groups.irreps", "groups.decomposition", "groups.products", "groups.field_type"),
        "kernels.steerable",
    )
]


def forget():
    """Empties every cache on the way from a name to a basis."""
    for module in MODULES:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


@pytest.mark.parametrize(
    ("group", "text", "size"),
    [
        ("D8", "64xregular", 3),
        ("D8", "64xregular", 5),
        ("C16", "96xregular", 7),
        ("D16", "48xregular", 7),
        ("SO2", "8xirreps(8)", 7),
        ("O2", "8xirreps(8)", 7),
        ("D4", "64xregular", 7),
    ],
)
def test_cold_build(group, text, size):
    def build():
        kind = FieldType.parse(text, group)
        return steerable_basis(kind, kind, (size, size))

    times = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(7):
            forget()
            start = time.perf_counter()
            basis = build()
            times.append(time.perf_counter() - start)
    finally:
        gc.enable()
    median, best = 1e3 * statistics.median(times), 1e3 * min(times)
    print(f"\n{group} {text}, {size}x{size}: median {median:.0f} ms, best {best:.0f} ms, {basis.size} coefficients")
    keep(f"cold space of kernels, {group} {text}, {size}x{size}", {"seconds": median / 1e3, "best_seconds": best / 1e3})
