"""The command line: `keras-equivariant train | evaluate | check | summary | export | prove | learn-basis | ...`."""

import contextlib
import logging
import sys

from keras_equivariant.cli import completion
from keras_equivariant.cli.noise import quiet_frameworks
from keras_equivariant.cli.parser import WITHOUT_FRAMEWORK, make_parser
from keras_equivariant.cli.plugins import load_plugins
from keras_equivariant.utils import startup


def main(argv=None):
    """Run one command and return its exit status: 0 done, 1 the symmetry is broken, 2 an error in what was asked."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without the degree sign gets a question mark
    completion.complete(make_parser)
    argv = sys.argv[1:] if argv is None else list(argv)
    arguments = make_parser(argv).parse_args(argv)
    noise = contextlib.nullcontext() if arguments.verbose else quiet_frameworks()
    try:
        with _progress_shown(arguments), noise:
            if arguments.command not in WITHOUT_FRAMEWORK:
                startup.complete()
            load_plugins([*arguments.plugins, *arguments.more_plugins])
            return arguments.command(arguments) or 0
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. A training run continues after its last epoch with --resume.\n")
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        if arguments.debug or not _expected(error):
            raise
        for line in str(error).splitlines() or [type(error).__name__]:
            sys.stderr.write(f"keras-equivariant: error: {line}\n")
        return 2


def _expected(error):
    """Whether an error is about what the user asked for; any other is a fault of ours and keeps its traceback."""
    if isinstance(error, ValueError | TypeError | OSError | ImportError | FloatingPointError):
        return True
    from keras_equivariant.export import ExportError

    return isinstance(error, ExportError)


@contextlib.contextmanager
def _progress_shown(arguments):
    """The library's progress messages go to standard output, unless the command is to be quiet."""
    logger = logging.getLogger("keras_equivariant")
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [logging.StreamHandler(sys.stdout)], False
    logger.setLevel(logging.WARNING if getattr(arguments, "quiet", False) else logging.INFO)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])
