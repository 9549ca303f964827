"""How positions in a periodic cell are written: d coordinates, then the d lattice vectors of the cell, row by row."""


def periodic_width(dimension):
    """Numbers of a position that comes with its cell: 12 in space, 6 in the plane."""
    return dimension + dimension * dimension


def space_of(width):
    """How many of the numbers of a position are coordinates: 3 of 12, 2 of 6, else all."""
    return {periodic_width(d): d for d in (2, 3)}.get(width, width)
