"""What people call charges, positions, energies, forces and dipoles of molecules."""

# What the targets of archives are called, the likeliest first.
NAMES = {
    "energy": ("energy", "energy_kcal", "energy_pbe0_kcal", "binding_energy_kcal", "energies", "E", "energy_ha"),
    "forces": ("forces", "F", "forces_kcal"),
    "dipole": ("dipole", "dipole_au"),
}
# What charges and positions of atoms are called, ours first; MD17 says R, rMD17 nuclear_charges and coords.
CHARGES = ("z", "Z", "nuclear_charges", "atomic_numbers", "numbers")
POSITIONS = ("pos", "positions", "R", "coords", "coordinates")


def named(kind, names):
    """The likeliest of these names for what is learned of a kind; where none is known, the only one that ends as such,
    as REF_energy or dft_forces; None without one."""
    known = next((name for name in NAMES[kind] if name in names), None)
    ends = (kind, kind.removesuffix("s"))
    alike = [name for name in names if str(name).lower().endswith(ends)]
    return known or (alike[0] if len(alike) == 1 else None)


def names_of_atoms(names):
    """What charges and positions of atoms are called among these names; None where either is missing."""
    found = tuple(next((name for name in known if name in names), None) for known in (CHARGES, POSITIONS))
    return None if None in found else found
