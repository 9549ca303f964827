"""The three pictures of the glossary: a regular field, three fields before and after a rotation, irreps of SO(2)."""

import numpy as np
from matplotlib.figure import Figure

BLUE, RED, GRAY = "#1f5fa8", "#c8553d", "#9a9a9a"


def draw_pictures(folder):
    for name, figure in {"regular": regular(), "field": field(), "irrep": irrep()}.items():
        figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})


def _clear(axes, title=""):
    axes.set(xticks=[], yticks=[], title=title)
    axes.title.set_fontsize(10)


def regular():
    """A kernel's four copies, and the four numbers that they see in a bar, upright and rotated."""
    kernel = np.array([[0, 1, 0], [0, 1, 0], [0, 1, 1]], float)
    image = np.zeros((9, 9))
    image[2:7, 4] = 1
    image[6, 5] = 1
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    grid = figure.subplots(2, 6, width_ratios=[1.5, 1, 1, 1, 1, 1.9])
    for row, quarters in enumerate((0, 1)):
        seen = np.rot90(image, quarters)
        first, *copies, bars = grid[row]
        first.imshow(seen, cmap="Blues", vmin=-0.2, vmax=1.3)
        _clear(first, "an image" if row == 0 else "rotated by 90°")
        answers = []
        for r, axes in enumerate(copies):
            copy = np.rot90(kernel, r)
            axes.imshow(copy, cmap="Reds", vmin=-0.2, vmax=1.5)
            _clear(axes, f"kernel, {90 * r}°")
            windows = np.lib.stride_tricks.sliding_window_view(seen, (3, 3))
            answers.append((windows * copy).sum((-2, -1)).max())
        colors = [RED if a == max(answers) else GRAY for a in answers]
        bars.bar([f"{90 * r}°" for r in range(4)], answers, color=colors)
        bars.set_title("the regular field", fontsize=10)
        bars.set_yticks([])
        bars.spines[["top", "right", "left"]].set_visible(False)
    return figure


def field():
    """A scalar, a vector and a regular field at four places, before and after a quarter turn."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    grid = figure.subplots(2, 3)
    places = np.array([[-1, 0.9], [0.9, 0.9], [0.9, -0.9]])
    scalars, angles = np.array([0.9, 0.5, 0.2]), np.radians([20, 80, -30])
    quarter = np.array([[0, -1], [1, 0]])
    for row in (0, 1):
        at = places @ quarter.T if row else places
        for axes, title in zip(grid[row], ("scalars", "vectors", "regular fields of C4"), strict=True):
            axes.set(xlim=(-1.8, 1.8), ylim=(-1.8, 1.8), aspect="equal")
            _clear(axes, title if row == 0 else f"{title}, rotated")
        grid[row][0].scatter(*at.T, s=900 * scalars, color=BLUE)
        for (x, y), scalar, angle in zip(at, scalars, angles + row * np.pi / 2, strict=True):
            grid[row][1].arrow(x, y, 0.6 * np.cos(angle), 0.6 * np.sin(angle), color=RED, width=0.03, head_width=0.18)
            numbers = np.roll([0.2, 1.0, 0.5, 0.3], row) * (0.5 + scalar / 2)
            grid[row][2].bar(x + 0.18 * (np.arange(4) - 1.5), 0.9 * numbers, 0.15, bottom=y - 0.4, color="#3a7d44")
    return figure


def irrep():
    """Arrows of frequency 0, 1 and 2 at four angles of the image."""
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    grid = figure.subplots(3, 4)
    for k in range(3):
        for axes, degrees in zip(grid[k], (0, 30, 60, 90), strict=True):
            angle = np.radians(k * degrees)
            axes.add_patch(_circle())
            axes.arrow(0, 0, 0.75 * np.cos(angle), 0.75 * np.sin(angle), color=(BLUE, RED, "#3a7d44")[k], width=0.05)
            axes.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal")
            _clear(axes, f"image at {degrees}°" if k == 0 else "")
            axes.spines[:].set_visible(False)
        grid[k][0].set_ylabel(f"frequency {k}", fontsize=10)
    return figure


def _circle():
    from matplotlib.patches import Circle

    return Circle((0, 0), 1, fill=False, color=GRAY)
