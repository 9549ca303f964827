"""Messages that hold for many things alike, said once."""

import collections
import contextlib
import logging


@contextlib.contextmanager
def once(*names):
    """Within it each message of these loggers is logged the first time alone, whatever it names then; behind it, how
    many more there would have been of each.

    Args:
        *names: of loggers.
    """
    counts, filters = {}, {}
    for name in names:
        counts[name] = collections.defaultdict(list)
        filters[name] = lambda record, found=counts[name]: _is_first(record, found[record.msg])
        logging.getLogger(name).addFilter(filters[name])
    try:
        yield
    finally:
        for name, told in filters.items():
            logging.getLogger(name).removeFilter(told)
            for first, *more in counts[name].values():
                if more:
                    logging.getLogger(name).log(first.levelno, "So, too, %d more: %s", len(more), _begun(first))


def _is_first(record, found):
    found.append(record)
    return len(found) == 1


def _begun(record):
    """The beginning of a message, by which it is known again."""
    text = record.getMessage()
    return text if len(text) <= 60 else f"{text[:60].rsplit(' ', 1)[0]} …"
