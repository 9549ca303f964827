"""The picture of a certificate: errors per element, by angle, and layer by layer."""

import math

from keras_equivariant.utils.files import replaced
from keras_equivariant.utils.optional import require

FLOOR = 1e-18  # errors of 0 are drawn here
COLORS = {"exact": "#2a9d8f", "approximate": "#e9a23b", "broken": "#d1495b"}
GRAY = "#8d99ae"


def draw(report, path):
    """Writes the picture of a Report; the file's ending chooses the format."""
    panels = [_elements, *([_angles] if report.angles else []), *([_layers] if report.layers else [])]
    tall = max(len(report.layers) * 0.24 + 1.6, len(report.elements) * 0.36 + 1.6, 4.6)
    figure = require("matplotlib.figure", "Report.plot").Figure(figsize=(5.2 * len(panels), tall), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.1)
    color = COLORS.get(report.verdict, GRAY)
    figure.suptitle(f"{report.model} under {report.group}: {report.verdict}", color=color, weight="bold")
    for i, panel in enumerate(panels):
        panel(figure, (1, len(panels), i + 1), report)
    with replaced(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _elements(figure, position, report):
    axes = figure.add_subplot(*position)
    measured = [p for p in report.precisions if not p.unavailable]
    height = 0.8 / max(len(measured), 1)
    tones = ("#264653", "#7fb7be", GRAY)
    for i, (precision, tone) in enumerate(zip(measured, tones, strict=False)):
        places = [row + (i - (len(measured) - 1) / 2) * height for row in range(len(report.elements))]
        axes.barh(
            places,
            [_drawable(e.errors.get(precision.dtype)) for e in report.elements],
            height,
            left=FLOOR,
            color=tone,
            label=precision.dtype,
        )
        axes.axvline(precision.tolerance, color=tone, linestyle="--", linewidth=1)
    axes.set_yticks(
        range(len(report.elements)), [e.name + (" (interpolated)" if e.interpolated else "") for e in report.elements]
    )
    axes.invert_yaxis()
    _error_axis(axes)
    axes.set_title("per element", fontsize=10, loc="left")
    axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1.02, 0.99), ncols=2, frameon=False, handlelength=1)


def _angles(figure, position, report):
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_subplot(*position, projection="polar")
    angles = [*report.angles, report.angles[0]]  # closes the curve
    radians = [math.radians(a.degrees) for a in angles]
    errors = [100 * a.error if math.isfinite(a.error) else math.nan for a in angles]
    axes.fill(radians, errors, color=COLORS["approximate"], alpha=0.2)
    axes.plot(radians, errors, color=COLORS["approximate"], marker="o", markersize=3, linewidth=1.4, label="model")
    interpolation = [100 * a.interpolation for a in angles]
    axes.plot(radians, interpolation, color="#264653", linewidth=1.2, label="interpolation alone")
    axes.set_ylim(0, None)
    axes.set_theta_zero_location("N")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(alpha=0.4)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.tick_params(labelsize=8)
    axes.set_rlabel_position(22.5)
    axes.set_title("relative error by angle of rotation (on a disc)", fontsize=10)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(-0.12, 0.02))


def _layers(figure, position, report):
    axes = figure.add_subplot(*position)
    shown = [layer for layer in report.layers if layer.error is not None]
    axes.barh(
        range(len(shown)),
        [_drawable(layer.error) for layer in shown],
        0.7,
        left=FLOOR,
        color=[COLORS.get(layer.verdict, GRAY) for layer in shown],
    )
    axes.set_yticks(range(len(shown)), [layer.name for layer in shown], fontsize=8 if len(shown) < 40 else 5)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.axvline(
        next(p.tolerance for p in report.precisions if not p.unavailable), color="black", linestyle="--", linewidth=1
    )
    _error_axis(axes)
    axes.set_title("layer by layer (exact elements)", fontsize=10, loc="left")


def _error_axis(axes):
    axes.set_xscale("log")
    axes.set_xlim(FLOOR, 30)
    axes.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
    axes.minorticks_off()
    axes.set_xlabel("relative L2 error (dashed: tolerance)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _drawable(error):
    """The bar's length above the floor; nothing for an undefined error."""
    return 0.0 if error is None or not math.isfinite(error) else max(error - FLOOR, 0.0)
