"""The command line: `keras-equivariant train | evaluate | check | summary | export | prove | learn-basis | ...`."""

import logging
import sys

from keras_equivariant.cli.parser import make_parser


def main(argv=None):
    """Run one command and return its exit status: 0 done, 1 the symmetry is broken, 2 an error in what was asked."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without the degree sign gets a question mark
    arguments = make_parser().parse_args(argv)
    _show_progress(arguments)
    try:
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
    from keras_equivariant.export import ExportError

    return isinstance(error, ValueError | TypeError | OSError | ImportError | FloatingPointError | ExportError)


def _show_progress(arguments):
    """The library's progress messages go to standard output, unless the command is to be quiet."""
    logger = logging.getLogger("keras_equivariant")
    logger.handlers = [logging.StreamHandler(sys.stdout)]
    logger.propagate = False
    logger.setLevel(logging.WARNING if getattr(arguments, "quiet", False) else logging.INFO)
