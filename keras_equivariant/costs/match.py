"""Networks of equal cost: which width of one has the parameters, or the multiply-adds, of another."""

import dataclasses

from keras_equivariant.compiler import load_spec
from keras_equivariant.costs.estimate import Estimate, estimate

QUANTITIES = ("parameters", "multiply_adds")
MAX_VALUE = 4096


@dataclasses.dataclass(frozen=True)
class Match:
    """The value of a parameter of a spec at which the network costs about as much as the baseline."""

    parameter: str
    value: int
    quantity: str
    network: Estimate
    baseline: Estimate

    def __str__(self):
        ours, theirs = (getattr(e, self.quantity) for e in (self.network, self.baseline))
        words = self.quantity.replace("_", "-")
        return (
            f"{self.parameter}={self.value}: {self.network.network} has {ours:,} {words}, {self.baseline.network} has "
            f"{theirs:,} ({ours / theirs - 1:+.1%})"
        )


def match(source, baseline, vary, quantity="parameters", params=None, baseline_params=None):
    """The whole number `vary` of a spec at which its network costs most nearly what the baseline's does.

    The cost must grow with the parameter, as it does with a width or a depth.

    Args:
        source: the spec, as `build_from_spec` takes it.
        baseline: the spec to compare with.
        vary: name of a parameter of `source` that is a whole number, such as `"filters"`.
        quantity: `"parameters"` or `"multiply_adds"`.
        params: dict, the other parameters of `source`.
        baseline_params: dict, the parameters of `baseline`.

    Returns:
        A Match.

    Raises:
        ValueError: `vary` is no parameter of the spec or no whole number, or no value up to 4096 comes near.

    Example:
        >>> from keras_equivariant.costs import match
        >>> match("p4_cnn", "z2_cnn", "filters").value
        9
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"`quantity` must be one of {', '.join(QUANTITIES)}. Received: {quantity!r}")
    params = dict(params or {})
    known = load_spec(source, **params).params
    if not isinstance(known.get(vary), int) or isinstance(known.get(vary), bool):
        whole = [name for name, value in known.items() if isinstance(value, int) and not isinstance(value, bool)]
        raise ValueError(
            f"`vary` must be a parameter of the spec that is a whole number: {', '.join(whole)}. Received: {vary!r}"
        )
    target = estimate(baseline, **(baseline_params or {}))
    wanted, found = getattr(target, quantity), {}

    def cost(value):
        if value not in found:
            found[value] = estimate(source, **{**params, vary: value})
        return getattr(found[value], quantity)

    low, high = 1, max(2, known[vary])
    while cost(high) < wanted:
        if high >= MAX_VALUE:
            raise ValueError(
                f"{vary}={MAX_VALUE} is still below {wanted:,} {quantity} of the baseline. Received: vary={vary!r}; "
                "vary another parameter"
            )
        low, high = high, min(2 * high, MAX_VALUE)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) < wanted else (low, middle)
    value = min((low, high), key=lambda candidate: abs(cost(candidate) - wanted))
    return Match(vary, value, quantity, found[value], target)
