"""Interleaved timing: two functions alternately in one process, the ratio of their medians.

With KERAS_EQUIVARIANT_RECORD=FILE in the environment each ratio is also written into that file of results.
"""

import os
import statistics
import time


def compare(first, second, rounds=30, warmup=3):
    """Median seconds of both functions and the median of the ratios first / second, taken pair by pair."""
    for _ in range(warmup):
        first()
        second()
    pairs = []
    for round_ in range(rounds):
        order = (first, second) if round_ % 2 == 0 else (second, first)
        times = {function: seconds(function) for function in order}
        pairs.append((times[first], times[second]))
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def report(name, ours, theirs, ratio):
    """One printed line of a benchmark."""
    print(f"\n{name}: {1e3 * ours:.2f} ms against {1e3 * theirs:.2f} ms, ratio {ratio:.3f}")
    keep(name, {"seconds": ours, "seconds_of_the_other": theirs, "ratio": round(ratio, 3)})


def keep(name, numbers):
    """The numbers of a benchmark, into the file of results that the environment names, if any."""
    if path := os.environ.get("KERAS_EQUIVARIANT_RECORD"):
        record(path, name, numbers)


def record(path, name, numbers):
    """Write what a benchmark measured into a file of results, with the command that runs the test."""
    from keras_equivariant.results import record_timing
    from keras_equivariant.training.run_folder import versions

    test = os.environ["PYTEST_CURRENT_TEST"].partition("::")[0]
    command = f"pytest -n 0 -m benchmark -s {test}"
    record_timing(path, name, numbers, command, {k: v for k, v in versions().items() if k != "machine"})


def seconds(function):
    """How long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
