"""Where a number comes from: the machine, the date and the commit of the code that measured it."""

import datetime
import hashlib
import os
import pathlib
import platform
import subprocess

import numpy as np

UNKNOWN = "unknown"


def provenance():
    """What is known of this process: `date`, `commit` and `machine`, each a text, "unknown" where it is not known."""
    return {"date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}", "commit": commit(), "machine": machine()}


def commit():
    """The commit that the package lies in, with "+changes" where its files differ from it."""
    folder = pathlib.Path(__file__).parents[2]
    if not (folder / ".git").exists():  # an installed package, perhaps inside another repository
        return UNKNOWN
    try:
        found = _git(folder, "rev-parse", "--short=12", "HEAD")
        return found + ("+changes" if _git(folder, "status", "--porcelain", "--", "keras_equivariant", "specs") else "")
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN


def machine():
    """The processor and the number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def digest(*arrays):
    """The first 16 digits of the SHA-256 of arrays, their types and shapes."""
    found = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(array.data if array.size else b"")
    return found.hexdigest()[:16]


def _git(folder, *arguments):
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()
