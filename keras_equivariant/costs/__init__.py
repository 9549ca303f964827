"""What a network costs: multiplications, memory, parameters."""

from keras_equivariant.costs.estimate import Estimate, estimate
from keras_equivariant.costs.match import Match, match

__all__ = ["Estimate", "Match", "estimate", "match"]
