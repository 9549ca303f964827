"""One step of an ordinary differential equation, on tensors or arrays."""


def rk4(derivative, state, dt):
    """The classical Runge-Kutta step of order 4 of d state / dt = derivative(state).

    Keeps what is linear in the state and conserved, such as a total momentum, to rounding.
    """
    k1 = derivative(state)
    k2 = derivative(state + dt / 2 * k1)
    k3 = derivative(state + dt / 2 * k2)
    k4 = derivative(state + dt * k3)
    return state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def leapfrog(force, velocity, q, p, dt):
    """The symplectic step of order 2: half a kick, a drift, half a kick; for energies T(p) + V(q).

    Keeps the total momentum and the angular momentum to rounding where the forces do, and the energy near its value
    over any time.

    Args:
        force: function of q, -dV/dq.
        velocity: function of p, dT/dp.
        q, p: positions and momenta.
        dt: length of the step.
    """
    p = p + dt / 2 * force(q)
    q = q + dt * velocity(p)
    return q, p + dt / 2 * force(q)
