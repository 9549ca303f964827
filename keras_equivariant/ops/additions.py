"""A plan of additions, `kernels.additions.Plan`, on tensors."""

from keras import ops


def add_up(tensors, plan):
    """y = M x for the matrix M of a plan.

    Args:
        tensors: x, a list of tensors of one shape.
        plan: Plan.

    Returns:
        y, a list of such tensors.
    """
    slots = list(tensors)
    for a, b, factor in plan.steps:
        if b is not None:
            slots.append((ops.add if factor > 0 else ops.subtract)(slots[a], slots[b]))
        elif factor == -1:
            slots.append(ops.negative(slots[a]))
        else:
            slots.append(ops.multiply(slots[a], factor))
    return [slots[output] for output in plan.outputs]
