"""What frameworks log for their developers, kept off the terminal of a command."""

import contextlib
import io
import logging
import os
import re
import sys
import tempfile

# Read when the libraries are loaded.
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}
_LOGGERS = ("tensorflow", "absl", "jax")
# What C++ libraries write all the same: before their log is set up they heed no setting.
_NOISE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog"
    r"|[IW]\d{4} \d\d:\d\d:[\d.]+ +\d+ [\w./-]+:\d+\]"  # I0000 00:00:1795704406.71 22219 port.cc:153]
    r"|\d{4}-\d\d-\d\d \S+: [IW] "
    r"|INFO: "
    r"|fully_quantize: "
)


@contextlib.contextmanager
def quiet_frameworks():
    """Only errors of TensorFlow, absl and JAX are shown; what the environment sets already is kept."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with _filtered_stderr():
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _filtered_stderr():
    """What libraries write to the descriptor of the standard error goes to a file; what is left of it is shown at the
    end. What Python writes is shown at once."""
    stderr = sys.stderr
    if not _is_descriptor_2(stderr):
        yield
        return
    stderr.flush()
    with tempfile.TemporaryFile() as log, open(os.dup(2), "w", buffering=1, errors="replace") as terminal:
        os.dup2(log.fileno(), 2)
        sys.stderr = terminal
        try:
            yield
        finally:
            sys.stderr = stderr
            os.dup2(terminal.fileno(), 2)
            log.seek(0)
            for line in log.read().decode(errors="replace").splitlines():
                if line.strip() and not _NOISE.match(line):
                    terminal.write(f"{line}\n")


def _is_descriptor_2(stream):
    try:
        return stream is not None and stream.fileno() == 2
    except (OSError, ValueError, io.UnsupportedOperation):
        return False
