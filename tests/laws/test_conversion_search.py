"""Random networks of stock layers and operations are converted exactly, or refused by name."""

import conversion_search
import pytest

pytestmark = pytest.mark.tensorflow


def test_random_networks_are_converted_or_refused():
    found, wrong = conversion_search.search(range(85, 99))
    assert not wrong, wrong
    assert found["converted"] >= 10 and found["refused"] >= 1  # neither is vacuous


def test_a_network_as_it_was_is_told():
    stock, _, group = conversion_search.draw(60)
    assert conversion_search.problem_of(stock, stock, group, 60).startswith("broken")


@pytest.mark.slow
def test_a_thousand_random_networks():
    found, wrong = conversion_search.search(range(10_000, 11_000))
    print(found)
    assert not wrong, wrong
