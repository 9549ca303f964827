"""What a spec's mistakes look like: one line each, with the file, the line, the place and the nearest right name."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Where:
    """A place in a spec.

    Attributes:
        source: file name, or the spec's name where there is no file.
        line: line number from 1, or None where there is no text.
        path: keys and indices from the root, such as `layers[3].GroupConv2D.filters`.
        calls: lines of the block calls that led here, innermost first.
        extended_by: the Where of a spec that extends the one in which this place lies, or None.
    """

    source: str
    line: int | None = None
    path: str = ""
    calls: tuple = ()
    extended_by: "Where | None" = None

    def __str__(self):
        return ":".join(str(part) for part in (self.source, self.line) if part is not None)

    @property
    def blamed(self):
        """Where the cause is written: in a spec that extends another it is what that spec changes."""
        return self.extended_by or self

    def child(self, key, line=None):
        """The place of an entry: an index of a list, else a key of a mapping."""
        step = f"[{key}]" if isinstance(key, int) else f".{key}" if self.path else str(key)
        return dataclasses.replace(self, path=self.path + step, line=line if line is not None else self.line)

    def key(self, key, line=None):
        """The place of a mapping's entry, whatever the type of its key."""
        return self.child(str(key), line)

    def error(self, message):
        """The SpecError for one mistake at this place."""
        return SpecError([Problem(self, message)])


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a spec.

    Attributes:
        where: its place.
        message: the rule, what was received, and the remedy, in one line.
        severity: `"error"` or `"warning"`.
    """

    where: Where
    message: str
    severity: str = "error"

    def __str__(self):
        lines = [str(line) for line in self.where.calls if line is not None]
        called = f" (called at line{'s' * (len(lines) > 1)} {', '.join(lines)})" if lines else ""
        path = f" {self.where.path}:" if self.where.path else ""
        extended = f" (in {self.where}, which it extends)" if self.where.extended_by else ""
        return f"{self.where.blamed}:{path} {' '.join(self.message.split())}{called}{extended}"


class SpecError(ValueError):
    """A spec that cannot be built. Its text is one line for each mistake.

    Attributes:
        problems: tuple of `Problem`.
    """

    def __init__(self, problems):
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self):
        return "\n".join(str(problem) for problem in self.problems)

    def called_at(self, line):
        """The same mistakes, seen through one more block call."""
        return SpecError(
            dataclasses.replace(p, where=dataclasses.replace(p.where, calls=(*p.where.calls, line)))
            for p in self.problems
        )
