"""Specs damaged at random: an answer or a SpecError, soon and within a gibibyte, and nothing else."""

import sys

import pytest
import spec_search

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded by Linux's RLIMIT_DATA")


def test_damaged_specs_are_read_or_refused(tmp_path):
    counts, wrong = spec_search.search(240, seed=1, folder=tmp_path, build_every=4)
    assert not wrong, wrong
    answers = {answer: sum(n for key, n in counts.items() if key[2] == answer) for answer in ("read", "refused")}
    assert answers["read"] >= 15 and answers["refused"] >= 100  # neither is vacuous
    assert {kind for _, kind, _ in counts} == {"layers", "tree", "expression", "bytes", "file"}


@pytest.mark.slow
def test_a_hundred_thousand_damaged_specs(tmp_path):
    counts, wrong = spec_search.search(100_000, seed=2, folder=tmp_path, build_every=4)
    print(spec_search.summary(counts))
    assert not wrong, wrong[:20]
