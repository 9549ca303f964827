"""Random layers: none that is accepted is inexact, and none that is exact is refused but a few."""

import layer_search
import pytest
import stock_search

from keras_equivariant.ops import windows


def judged(count, seed):
    outcomes, found = layer_search.search(count, seed)
    print(f"{count} layers tried, seed {seed}: {dict(found)}")
    inexact = [outcome.case for outcome in outcomes if outcome.kind == "inexact"]
    remedies = [(outcome.case, outcome.bad_remedies) for outcome in outcomes if outcome.bad_remedies]
    assert not inexact, inexact
    assert not remedies, remedies
    assert found["accepted"] > 0.2 * count and found["refused"] > 0.2 * count
    # Of a few hundred one may be refused though exact, of many one in 500.
    refused = [outcome.case for outcome in outcomes if outcome.kind == "false"]
    assert len(refused) <= max(1, 0.002 * count), refused


def test_300_random_layers():
    judged(300, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_20_000_random_layers(seed):
    judged(2000, seed=100 + seed)


def test_the_search_finds_what_is_accepted_wrongly(monkeypatch):
    monkeypatch.setattr(windows, "lost", lambda *_: set())
    _, found = layer_search.search(30, seed=0)
    assert found["inexact"] > 3


def test_the_search_finds_what_is_refused_wrongly(monkeypatch):
    lost = windows.lost
    monkeypatch.setattr(windows, "lost", lambda *asked: lost(*asked) or {(0, 0, True)})
    outcomes, found = layer_search.search(30, seed=0)
    assert found["false"] > 3


def test_200_random_stock_layers():
    wrong, found = stock_search.search(200, seed=0)
    assert not wrong, wrong
    assert found["accepted"] > 50 and found["refused"] > 50
