"""The linter against what is measured, on random networks."""

import linter_search
import pytest


def test_what_the_linter_passes_is_exact_and_little_else_is_refused():
    found, wrong = linter_search.search(60, seed=1)
    assert found["inexact"] == 0, wrong
    assert found["false"] <= 1, wrong
    # Neither is vacuous: many networks pass, and many are refused and broken.
    assert found["accepted"] >= 15 and found["refused"] >= 15


@pytest.mark.slow
def test_two_thousand_networks():
    found, wrong = linter_search.search(2000, seed=2)
    print(found)
    assert found["inexact"] == 0, wrong
    assert found["false"] <= 4, wrong
