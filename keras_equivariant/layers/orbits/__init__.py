"""Any network made equivariant by what a group makes of its inputs and outputs."""
