"""Radial profiles: rings around the kernel's centre, and how high an angular frequency each may carry."""

import dataclasses

import numpy as np

RING_WIDTH = 0.6  # standard deviation of the Gaussian rings, in pixels (1711.07289, 1911.08251)
OUTER_RING_WIDTH = 0.4
PROFILES = ("gaussian", "linear")
CUTOFFS = ("conservative", "nyquist")


@dataclasses.dataclass(frozen=True)
class Rings:
    """How a band-limited kernel is sampled.

    Attributes:
        num_rings: number of rings; None for one per pixel of radius.
        ring_width: standard deviation of a Gaussian ring in pixels; None for 0.6, 0.4 at the rim. Of a linear ring
            half of its base; None for the distance between rings.
        radial_profile: `"gaussian"`, or `"linear"`: 1 on the ring, falling linearly to 0.
        frequency_cutoff: highest angular frequency of the ring of radius r (pixels): `"conservative"` keeps waves
            along the ring longer than two pixels everywhere in the square (2 r - (r + 1) mod 2, at most 2 at the
            rim), `"nyquist"` floor(pi r), a number c floor(c r). Frequency 0 is always there.
    """

    num_rings: int | None = None
    ring_width: float | None = None
    radial_profile: str = "gaussian"
    frequency_cutoff: str | float = "conservative"

    def __post_init__(self):
        if self.num_rings is not None and (not isinstance(self.num_rings, int) or self.num_rings < 1):
            raise ValueError(f"`num_rings` must be a positive integer or None. Received: num_rings={self.num_rings!r}")
        if self.ring_width is not None and not self.ring_width > 0:
            raise ValueError(f"`ring_width` must be positive or None. Received: ring_width={self.ring_width!r}")
        if self.radial_profile not in PROFILES:
            raise ValueError(
                f"`radial_profile` must be one of {PROFILES}. Received: radial_profile={self.radial_profile!r}"
            )
        cutoff = self.frequency_cutoff
        number = isinstance(cutoff, (int, float)) and not isinstance(cutoff, bool) and cutoff >= 0
        if not number and cutoff not in CUTOFFS:
            raise ValueError(
                f"`frequency_cutoff` must be one of {CUTOFFS} or a number of at least 0. "
                f"Received: frequency_cutoff={cutoff!r}"
            )

    def __call__(self, kernel_size):
        """Radii (pixels), widths and highest angular frequencies of the rings of a kernel, ring by ring.

        By default radii are one pixel apart from the centre (odd kernels) or half a pixel from it (even ones).
        """
        size = min(kernel_size)
        first, last = (0.5, (size - 1) / 2) if size % 2 == 0 else (0.0, (size - 1) / 2)
        radii = np.linspace(first, last, self.num_rings or (size + 1) // 2) if size > 1 else np.zeros(1)
        limits = [self._limit(r, i == len(radii) - 1) for i, r in enumerate(radii)]
        return list(zip(radii, self._widths(radii), limits, strict=True))

    def profile(self, radius, ring, width):
        """The ring's values at these radii."""
        if self.radial_profile == "gaussian":
            return np.exp(-((radius - ring) ** 2) / (2 * width**2))
        return np.maximum(1 - np.abs(radius - ring) / width, 0.0)

    def _widths(self, radii):
        if self.ring_width is not None:
            return np.full(len(radii), float(self.ring_width))
        if self.radial_profile == "linear":
            return np.full(len(radii), radii[1] - radii[0] if len(radii) > 1 else 1.0)
        widths = np.full(len(radii), RING_WIDTH)
        if len(radii) > 1:
            widths[-1] = OUTER_RING_WIDTH
        return widths

    def _limit(self, radius, rim):
        if self.frequency_cutoff == "nyquist":
            return int(np.floor(np.pi * radius + 1e-9))
        if self.frequency_cutoff != "conservative":
            return int(np.floor(self.frequency_cutoff * radius + 1e-9))
        if radius == 0:
            return 0
        return min(2 if rim else int(2 * radius - (radius + 1) % 2), int(np.floor(2 * radius)))
