"""Random networks in integers: proofs from the file beside what three runtimes compute."""

import integer_search
import pytest

pytestmark = pytest.mark.tensorflow


def test_what_is_proved_in_integers_holds_in_every_runtime():
    found, wrong = integer_search.search(range(12))
    assert not wrong, wrong
    assert found["proved"] >= 9


@pytest.mark.slow
def test_three_hundred_networks_in_integers():
    found, wrong = integer_search.search(range(1000, 1300))
    print(found)
    assert not wrong, wrong
