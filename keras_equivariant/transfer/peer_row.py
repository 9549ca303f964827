"""One feature of another library beside what it is here."""

import dataclasses

SAME, AFTER, OTHER, MISSING = "same numbers", "same after a change", "another function", "not here"
VERDICTS = (SAME, AFTER, OTHER, MISSING)


@dataclasses.dataclass(frozen=True)
class Row:
    """One feature of another library.

    Attributes:
        library: its name.
        theirs: the feature there; for escnn the names of classes, which `from_escnn` reads off errors, too.
        ours: what it is here; "" where there is nothing.
        verdict: one of VERDICTS.
        note: the change after which it is the same, or the difference.
        checked: the test that compares the numbers, as pytest names it; "" for what is not compared.
    """

    library: str
    theirs: tuple
    ours: str
    verdict: str
    note: str = ""
    checked: str = ""
