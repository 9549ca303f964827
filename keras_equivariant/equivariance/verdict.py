"""When an error counts as exact, approximate or broken, and when it means nothing at all."""

import numbers

import numpy as np

from keras_equivariant.equivariance.report import APPROXIMATE, BROKEN, EXACT, VACUOUS, Element, Precision
from keras_equivariant.utils.text import number

TOLERANCE = {"float64": 1e-12, "float32": 1e-5, "float16": 1e-2, "bfloat16": 1e-1}
# Above this the error of an interpolated element is not called approximate any more.
LARGEST_APPROXIMATE = 0.25
# A transformation that changes the input by less, relative to the input's norm, tests nothing.
SMALLEST_MOVE = 1e-3
# float64 rounds 1.9e-9 times as much as float32; an error that is smaller by this factor at least is rounding.
ROUNDING = 2e-8
# The error of a law holds the rounding of f(gx) and that of f(x): a few times what one of them rounds by.
ROUNDED_TWICE = 4.0
# A deep network amplifies rounding. By more than this times its tolerance a precision is not called exact all the same.
LARGEST_AMPLIFICATION = 10.0


def judge(group, measured, unavailable, tolerances, layers, problems):
    """The judged fields of a Report.

    Args:
        group: FiniteGroup.
        measured: Parts by dtype, the highest precision first.
        unavailable: why the other precisions were not measured.
        tolerances: by dtype.
        layers: LayerErrors.
        problems: what each layer says breaks its symmetry, by layer name.

    Returns:
        A dict with `verdict`, `elements`, `precisions`, `response` and `reasons`.
    """
    best = next(iter(measured))
    errors = {
        dtype: {e: error for part in parts for e, error in part_errors(part).items()}
        for dtype, parts in measured.items()
    }
    passed = {e for e in range(group.order) if errors[best][e] <= tolerances[best]}
    elements = tuple(element for part in measured[best] for element in _elements(group, part, errors, tolerances, best))
    elements = tuple(sorted(elements, key=lambda element: group.element_names.index(element.name)))
    faults = [fault for part in measured[best] for fault in vacuous(group, part, tolerances[best])]
    if group.order == 1:
        faults.append(f"the group {group.name}, which has no element but the identity")
    verdicts = {element.verdict for element in elements}
    if faults:
        verdict, reasons = VACUOUS, [f"nothing was tested on {fault}" for fault in dict.fromkeys(faults)]
    elif BROKEN in verdicts:
        verdict, reasons = BROKEN, _why(group, measured[best], passed, layers, problems)
    else:
        verdict = APPROXIMATE if APPROXIMATE in verdicts else EXACT
        reasons = [
            f"{dtype} rounds by more than its tolerance, although {best} is exact"
            for dtype in measured
            if any(errors[dtype][e] > tolerances[dtype] for e in passed)
        ]
    return {
        "verdict": verdict,
        "elements": elements,
        "precisions": tuple(
            [_precision(dtype, parts, tolerances) for dtype, parts in measured.items()]
            + [Precision(dtype, tolerances[dtype], unavailable=why) for dtype, why in unavailable.items()]
        ),
        "response": min(output.response for output in measured[best][0].outputs),
        "reasons": tuple(reasons),
    }


def is_approximated(errors, tolerance):
    """Whether a law holds approximately for elements with these errors, and not within the tolerance."""
    return tolerance < np.max(errors) <= LARGEST_APPROXIMATE


def approximated(measured, group, tolerance):
    """Parts by dtype; those elements of a sample are apart for which a law is approximated that others keep exactly."""
    errors = {e: error for part in next(iter(measured.values())) for e, error in part_errors(part).items()}
    if not group.beyond or not is_approximated([errors[e] for e in group.beyond], tolerance):
        return measured
    kept = [e for e in errors if e not in group.beyond]
    return {
        dtype: [piece for part in parts for piece in (part.of(kept, False), part.of(group.beyond, True))]
        for dtype, parts in measured.items()
    }


def _elements(group, part, errors, tolerances, best):
    for column, element in enumerate(part.elements):
        by_dtype = {dtype: values[element] for dtype, values in errors.items()}
        within = [by_dtype[dtype] <= tolerances[dtype] for dtype in by_dtype]
        small = max(by_dtype.values()) <= LARGEST_APPROXIMATE and (part.interpolated or within[0])
        verdict = EXACT if all(within) and not part.interpolated else APPROXIMATE if small else BROKEN
        control = max(float(output.relative_control[column]) for output in part.outputs)
        yield Element(
            group.element_names[element], part.interpolated, by_dtype, control, float(part.moves[column]), verdict
        )


def _precision(dtype, parts, tolerances):
    return Precision(dtype, tolerances[dtype], worst_error(parts, False), worst_error(parts, True))


def worst_error(parts, interpolated):
    """The worst error of the exact or of the interpolated elements; None if there are none but an identity that keeps
    the law, as it does unless the model does not repeat itself."""
    some = [part for part in parts if part.interpolated == interpolated]
    errors = [e for part in some for element, e in part_errors(part).items() if element or e > 0]
    return float(np.max(errors)) if errors else None


def _why(group, parts, passed, layers, problems):
    if _exact(parts) <= passed:
        return [f"interpolated elements err by more than {LARGEST_APPROXIMATE:.0%}"]
    broken = next((layer for layer in layers if layer.verdict == BROKEN), None)
    if broken is None:
        return [hint(group, parts, passed)]
    why = "".join(f": {problem}" for problem in problems.get(broken.name.split("/")[-1], ()))
    where = f"it breaks at layer {broken.name!r} ({broken.kind}), error {number(broken.error)}{why}"
    return [where, *filter(None, [_pattern(group, parts, passed)])]


def tolerances_by_dtype(tolerance):
    """The tolerance of every dtype, from a number for all or a dict."""
    if tolerance is None:
        return TOLERANCE
    given = tolerance if isinstance(tolerance, dict) else dict.fromkeys(TOLERANCE, tolerance)
    unknown = set(given) - set(TOLERANCE)
    if unknown or not all(_is_fraction(value) for value in given.values()):
        raise ValueError(
            f"`tolerance` must be a number from 0 to 1, or a dict of them with keys {tuple(TOLERANCE)}. "
            f"Received: {tolerance!r}"
        )
    return {**TOLERANCE, **given}


def _is_fraction(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 <= value < 1


def as_rounding_allows(measured, tolerances, rounding=0.0):
    """The tolerances as the rounding that a network amplifies allows.

    What breaks a law breaks it by the same in every precision. So in float64 an error is none that falls with the
    precision as rounding does, as along the frames of nearly equal axes; and in float32, where float64 is exact, one
    of the size by which float32 differs from float64 on the inputs as they are.

    Args:
        measured: Parts by dtype.
        tolerances: by dtype.
        rounding: relative difference of the outputs in float32 from those in float64.
    """
    if not {"float64", "float32"} <= set(measured):
        return tolerances
    worst = {dtype: worst_error(measured[dtype], False) or 0.0 for dtype in ("float64", "float32")}
    raised = {**tolerances, "float64": max(tolerances["float64"], ROUNDING * min(worst["float32"], 1.0))}
    if worst["float64"] <= raised["float64"]:
        raised["float32"] = raised_by_rounding(tolerances["float32"], rounding)
    return raised


def raised_by_rounding(tolerance, rounding):
    """A tolerance, raised where a model's own outputs round by about as much or more."""
    return max(tolerance, min(ROUNDED_TWICE * rounding, LARGEST_AMPLIFICATION * tolerance))


def lowest_precision(dtypes):
    """The dtype that rounds most; integers and booleans count as float64."""
    return max((_real(dtype) for dtype in dtypes), key=TOLERANCE.get)


def _real(dtype):
    dtype = {"complex128": "float64", "complex64": "float32"}.get(str(dtype), str(dtype))
    return dtype if dtype in TOLERANCE else "float64"


def limit(output, rtol=None):
    """The relative tolerance for an output: the one given, else its precision's."""
    return TOLERANCE[_real(output.dtype)] if rtol is None else rtol


def part_errors(part):
    """The worst error over the outputs by element; each output counts in its likeliest layout."""
    errors = np.max([y.errors[0] for y in part.outputs], axis=0)
    return dict(zip(part.elements, errors.tolist(), strict=True))


def vacuous(group, part, rtol=None):
    """Why a small error would prove nothing; empty if it would."""
    faults = [
        f"inputs that hardly change under {group.element_names[e]} (relative change {number(move)})"
        for e, move in zip(part.elements, part.moves, strict=True)
        if e and not move > SMALLEST_MOVE
    ]
    numbers = [y for y in part.outputs if y.dtype != "bool"]  # a mask that comes as it went tells nothing
    for i, y in enumerate(part.outputs):
        if numbers and y.dtype == "bool":
            continue
        if not y.finite:
            faults.append(f"output {i} that is not finite")
        elif y.norm == 0:
            faults.append(f"output {i} that is zero everywhere")
        elif not y.response > smallest_response(limit(y, rtol)):
            faults.append(
                f"output {i} that does not depend on the input (distorting the input changes it by "
                f"{number(y.response)})"
            )
    return faults


def smallest_response(tolerance):
    """The least relative response with which a total failure of the law would show beyond the tolerance."""
    return min(10 * tolerance, max(tolerance, 1e-2))


def hint(group, parts, passed):
    """What the pattern of failures suggests."""
    if _exact(parts) and _exact(parts) <= passed:
        return (
            'only interpolated elements fail; test the exact ones with elements="exact", or allow for the '
            "interpolation with rtol="
        )
    return _pattern(group, parts, passed) or (
        "look for a stride or padding on a size that its window does not cover symmetrically, for a layer that mixes "
        "the group axis, or for a wrong input_layout or output_layout"
    )


def _exact(parts):
    return {element for part in parts if not part.interpolated for element in part.elements}


def _pattern(group, parts, passed):
    if 0 in _exact(parts) - passed:
        return (
            "f(x) differs between two calls on the same x; switch off dropout, sampling and other state, and call "
            "layers with training=False"
        )
    if len(passed) > 1 and group.generated_by(sorted(passed)) == tuple(sorted(passed)):
        names = ", ".join(group.element_names[e] for e in sorted(passed))
        return f"the law holds on the subgroup {{{names}}}; perhaps a smaller group was meant"
    return ""
