"""Mechanical systems, networks that learn their dynamics, integrators, and what is conserved.

A state is an array `(..., 2, N, d)`: the positions q and the momenta p of N particles in d dimensions. Parameters are
`(..., N, P)`, the masses first.
"""

from keras_equivariant import data
from keras_equivariant.dynamics.conserved import angular_momentum, drift, energy, linear_momentum
from keras_equivariant.dynamics.energies import EnergyAndForces
from keras_equivariant.dynamics.integrators import leapfrog, rk4
from keras_equivariant.dynamics.networks import DynamicsNetwork, HamiltonianNetwork
from keras_equivariant.dynamics.sets import load_nbody, load_pendulums, load_springs
from keras_equivariant.dynamics.systems import Trajectories, charged, pendulums, springs

data.register("springs", load_springs)
data.register("pendulums", load_pendulums)
data.register("nbody", load_nbody)

__all__ = [
    "DynamicsNetwork",
    "EnergyAndForces",
    "HamiltonianNetwork",
    "Trajectories",
    "angular_momentum",
    "charged",
    "drift",
    "energy",
    "leapfrog",
    "linear_momentum",
    "pendulums",
    "rk4",
    "springs",
]
