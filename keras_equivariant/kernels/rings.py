"""Radial profiles: rings around the kernel's center, in space spherical shells, and the frequencies each may carry."""

import dataclasses

import numpy as np

RING_WIDTH = 0.6  # standard deviation of the Gaussian rings, in pixels (1711.07289, 1807.02547, 1911.08251)
OUTER_RING_WIDTH = 0.4  # of the outermost ring of the plane
CENTER_WIDTH = 0.005  # of escnn's ring of radius 0: the central pixel alone
PROFILES = ("gaussian", "linear")
CUTOFFS = {2: ("conservative", "nyquist"), 3: ("compromise", "conservative", "sfcnn", "nyquist")}  # the default first
BEYOND = {"conservative": 0, "compromise": 1, "sfcnn": 2}  # in space: how much above twice the radius


@dataclasses.dataclass(frozen=True)
class Rings:
    """How a band-limited kernel is sampled.

    Attributes:
        num_rings: number of rings; None for one per pixel of radius.
        ring_width: standard deviation of a Gaussian ring in pixels, one or one for each ring; None for 0.6, in the
            plane 0.4 at the rim. Of a linear ring half of its base; None for the distance between rings.
        radial_profile: `"gaussian"`, or `"linear"`: 1 on the ring, falling linearly to 0.
        frequency_cutoff: highest angular frequency (degree) of the ring of radius r (pixels). In the plane
            `"conservative"` keeps waves along the ring longer than two pixels everywhere in the square
            (2 r - (r + 1) mod 2, at most 2 at the rim). In space `"conservative"` is 2 r, `"compromise"` 2 r + 1 and
            `"sfcnn"` 2 r + 2. In both `"nyquist"` is floor(pi r), a number c floor(c r), a list one number for each
            ring; None is "conservative" in the plane, "compromise" in space. The center carries frequency 0 only,
            unless a list says otherwise, and every ring frequency 0.
        voxel_size: sizes of a pixel along the axes, of which only the ratios matter; radii are then in units of the
            smallest. None where all are equal.
        ring_radii: a list of the rings' radii in pixels; None for rings at equal distances. `"escnn"` is the default of
            that library: 0, 1, ... below half the kernel's size, widths of 0.005 at the center, 0.4 at the rim and 0.6
            between, and the frequencies of its `frequencies_cutoff=None`, in space min(2 r, k // 2 - r + 2).
    """

    num_rings: int | None = None
    ring_width: float | tuple | None = None
    radial_profile: str = "gaussian"
    frequency_cutoff: str | float | tuple | None = None
    voxel_size: tuple | None = None
    ring_radii: str | tuple | None = None

    def __post_init__(self):
        if self.num_rings is not None and (not isinstance(self.num_rings, int) or self.num_rings < 1):
            raise ValueError(f"`num_rings` must be a positive integer or None. Received: num_rings={self.num_rings!r}")
        self._check_width()
        self._check_radii()
        if self.radial_profile not in PROFILES:
            raise ValueError(
                f"`radial_profile` must be one of {PROFILES}. Received: radial_profile={self.radial_profile!r}"
            )
        if isinstance(self.frequency_cutoff, list):
            object.__setattr__(self, "frequency_cutoff", tuple(self.frequency_cutoff))
        cutoff, named = self.frequency_cutoff, {name for names in CUTOFFS.values() for name in names}
        several = isinstance(cutoff, tuple) and cutoff and all(isinstance(c, int) and _is_size(c) for c in cutoff)
        if not (cutoff is None or _is_size(cutoff) or several or (isinstance(cutoff, str) and cutoff in named)):
            raise ValueError(
                f"`frequency_cutoff` must be one of {CUTOFFS[2]}, in space of {CUTOFFS[3]}, a number of at least 0, or "
                f"a list of integers. Received: frequency_cutoff={cutoff!r}"
            )
        if self.voxel_size is not None:
            sizes = tuple(self.voxel_size) if isinstance(self.voxel_size, (list, tuple)) else (None,)
            if not all(_is_size(size) and size > 0 for size in sizes):
                raise ValueError(
                    "`voxel_size` must be a positive number for each axis of space, or None. "
                    f"Received: voxel_size={self.voxel_size!r}"
                )
            object.__setattr__(self, "voxel_size", tuple(float(size) for size in sizes))

    def _check_width(self):
        width = self.ring_width
        several = isinstance(width, list | tuple) and len(width) > 0
        if not (width is None or all(_is_size(w) and w > 0 for w in (width if several else [width]))):
            raise ValueError(
                "`ring_width` must be positive, a list of such numbers with one for each ring, or None. "
                f"Received: ring_width={width!r}"
            )
        if several:
            object.__setattr__(self, "ring_width", tuple(float(w) for w in width))

    def _check_radii(self):
        radii = self.ring_radii
        several = isinstance(radii, list | tuple) and len(radii) > 0 and all(_is_size(r) for r in radii)
        if not (radii is None or radii == "escnn" or several):
            raise ValueError(
                f'`ring_radii` must be a list of radii of at least 0, "escnn" or None. Received: ring_radii={radii!r}'
            )
        if radii is not None and self.num_rings is not None:
            raise ValueError(
                f"`ring_radii` says how many rings there are. Received: num_rings={self.num_rings} beside "
                f"ring_radii={radii!r}; leave num_rings out"
            )
        if several:
            object.__setattr__(self, "ring_radii", tuple(float(r) for r in radii))

    def __call__(self, kernel_size):
        """Radii (pixels), widths and highest angular frequencies of the rings of a kernel, ring by ring.

        By default radii are one pixel apart from the center (odd kernels) or half a pixel from it (even ones).
        """
        radii = self._radii(kernel_size)
        return list(zip(radii, self._widths(radii, len(kernel_size)), self._limits(radii, kernel_size), strict=True))

    def _radii(self, kernel_size):
        if self.ring_radii == "escnn":
            return np.arange((min(kernel_size) + 1) // 2, dtype=float)
        if self.ring_radii is not None:
            return np.array(self.ring_radii)
        extent = min((k - 1) * scale for k, scale in zip(kernel_size, self.scales(len(kernel_size)), strict=True))
        first, last = 0.5 if min(kernel_size) % 2 == 0 else 0.0, extent / 2
        number = self.num_rings or int(last - first + 1 + 1e-9)
        return np.linspace(first, last, number) if last > 0 else np.zeros(1)

    def excess(self, kernel_size, highest):
        """`(radius, highest frequency, the default's)` of the rings that carry higher frequencies than by default.

        Args:
            kernel_size: tuple of integers.
            highest: no more than this frequency is used.
        """
        default = dataclasses.replace(self, frequency_cutoff=None)(kernel_size)
        pairs = zip(self(kernel_size), default, strict=True)
        found = [(radius, min(asked, highest), limit) for (radius, _, asked), (_, _, limit) in pairs]
        return [ring for ring in found if ring[1] > ring[2]]

    def scales(self, dimension):
        """`voxel_scales` of its pixels."""
        return voxel_scales(self.voxel_size, dimension)

    def profile(self, radius, ring, width):
        """The ring's values at these radii."""
        if self.radial_profile == "gaussian":
            return np.exp(-((radius - ring) ** 2) / (2 * width**2))
        return np.maximum(1 - np.abs(radius - ring) / width, 0.0)

    def _widths(self, radii, dimension):
        if isinstance(self.ring_width, tuple):
            if len(self.ring_width) != len(radii):
                raise ValueError(
                    f"A list of widths must have one for each ring, {len(radii)} here. "
                    f"Received: ring_width={list(self.ring_width)}"
                )
            return np.array(self.ring_width)
        if self.ring_width is not None:
            return np.full(len(radii), float(self.ring_width))
        if self.radial_profile == "linear":
            return np.full(len(radii), radii[1] - radii[0] if len(radii) > 1 else 1.0)
        widths = np.full(len(radii), RING_WIDTH)
        if self.ring_radii == "escnn":
            widths[-1] = OUTER_RING_WIDTH
            widths[radii == 0] = CENTER_WIDTH
        elif len(radii) > 1 and dimension == 2:
            widths[-1] = OUTER_RING_WIDTH
        return widths

    def _limits(self, radii, kernel_size):
        names = CUTOFFS[len(kernel_size)]
        cutoff = names[0] if self.frequency_cutoff is None else self.frequency_cutoff
        if isinstance(cutoff, tuple):
            if len(cutoff) != len(radii):
                raise ValueError(
                    f"A list of cut-offs must have one for each ring, {len(radii)} in a kernel of "
                    f"{'x'.join(map(str, kernel_size))} pixels. Received: frequency_cutoff={list(cutoff)}"
                )
            return list(cutoff)
        if isinstance(cutoff, str) and cutoff not in names:
            raise ValueError(
                f"`frequency_cutoff` must be one of {names} in {len(kernel_size)} dimensions. "
                f"Received: frequency_cutoff={cutoff!r}"
            )
        if self.frequency_cutoff is None and self.ring_radii == "escnn":
            # Its R2Conv knows the rim by the radius k // 2, which even kernels do not reach.
            rim = min(kernel_size) // 2
            plane = len(kernel_size) == 2
            return [
                int(min(2 * r, (2 if r == rim else 2 * r - (r + 1) % 2) if plane else rim - r + 2)) if r else 0
                for r in radii
            ]
        if len(kernel_size) == 3 and cutoff in BEYOND:
            return [int(2 * r + 1e-9) + BEYOND[cutoff] if r > 1e-9 else 0 for r in radii]
        if cutoff != "conservative":
            return [int((np.pi if cutoff == "nyquist" else cutoff) * r + 1e-9) for r in radii]
        wide = [min(2 if i == len(radii) - 1 else int(2 * r - (r + 1) % 2), int(2 * r)) for i, r in enumerate(radii)]
        return [limit if r else 0 for limit, r in zip(wide, radii, strict=True)]


def voxel_scales(voxel_size, dimension):
    """Lengths of a pixel along each axis, in units of the shortest."""
    if voxel_size is None:
        return (1.0,) * dimension
    if len(voxel_size) != dimension:
        raise ValueError(
            f"`voxel_size` must have one number for each axis of space, {dimension}. Received: voxel_size={voxel_size}"
        )
    return tuple(size / min(voxel_size) for size in voxel_size)


def _is_size(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
