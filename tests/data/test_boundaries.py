"""The boundary benchmark on maps worked out by hand, and on people against each other."""

import os

import numpy as np
import pytest

from keras_equivariant.data.boundaries import (
    boundary_counts,
    boundary_scores,
    counts_of_lines,
    matched,
    rates,
    thresholds_among,
)
from keras_equivariant.data.thinning import suppressed, thinned

pytest.importorskip("scipy")
SIZE = 80  # whose diagonal times 0.0075 is 0.85 pixels; 0.02 of it 2.26 pixels


def line(row, length=SIZE):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[row, :length] = True
    return mask


def score(found, people, tolerance=0.02, **options):
    counts = boundary_counts(found, people, [0.5], tolerance, **{"thin": False, **options})
    return boundary_scores([counts], [0.5])["ods"]


@pytest.mark.parametrize("nearest", [False, True])
def test_maps_within_the_tolerance_are_perfect_and_others_are_nothing(nearest):
    people = [line(40), line(40)]
    assert score(line(40), people, nearest=nearest) == 1
    assert score(line(41), people, nearest=nearest) == 1
    assert score(line(42), people, nearest=nearest) == 1, "2 pixels are within 2.26"
    assert score(line(43), people, nearest=nearest) == 0
    assert score(line(41), people, tolerance=0.0075, nearest=nearest) == 0, "of 80 pixels it is less than one"
    assert score(np.zeros((SIZE, SIZE)), people, nearest=nearest) == 0


def test_one_person_makes_a_hit_and_recall_counts_every_person():
    counts = boundary_counts(line(10) | line(30), [line(10), line(30) | line(50)], [0.5], 0.02, thin=False)
    np.testing.assert_array_equal(counts, [[2 * SIZE, 2 * SIZE, 2 * SIZE, 3 * SIZE]])
    precision, recall = rates(counts[0])
    assert (precision, recall) == (1, pytest.approx(2 / 3)) and score(line(10), [line(30)]) == 0
    # A map beside two people's that agree has twice their pixels to find, not two hits a pixel.
    np.testing.assert_array_equal(
        boundary_counts(line(10), [line(10), line(10)], [0.5], 0.02, thin=False)[0], [SIZE, SIZE, 2 * SIZE, 2 * SIZE]
    )


@pytest.mark.parametrize("nearest", [False, True])
def test_pixels_are_matched_one_to_one_and_as_many_as_can_be(nearest):
    both = line(20) | line(21) | line(22)
    hit, met = matched(both, line(21), 0.02, nearest)
    assert hit.sum() == met.sum() == SIZE
    if nearest:
        np.testing.assert_array_equal(hit, line(21))
    # The first pixel found could take the only partner of the second: both have one.
    found, wanted = np.zeros((2, 10, 10), bool)
    found[0, [2, 3]], wanted[0, [2, 1]] = True, True
    hit, met = matched(found, wanted, 1.1 / np.hypot(10, 10), nearest)
    assert hit.sum() == met.sum() == 2
    none = np.zeros_like(found)
    assert not any(mask.any() for mask in (*matched(none, wanted), *matched(found, none)))


def test_one_threshold_for_all_is_no_better_than_one_for_each_image():
    soft = [np.where(line(40), 0.9, 0.4 * line(20)), np.where(line(40), 0.3, 0.0)]
    thresholds = np.array([0.2, 0.35, 0.5, 0.7])
    counts = [boundary_counts(one, [line(40)], thresholds, 0.02, thin=False) for one in soft]
    found = boundary_scores(counts, thresholds)
    # At 0.2 both lines are found, and one that is none: P 2/3, R 1; one's own threshold finds them alone.
    assert found["ois"] == 1 and found["ods"] == pytest.approx(0.8) and found["threshold"] == pytest.approx(0.2)
    assert found["ap"] == pytest.approx(0.42, abs=0.01), "from P 1 at a recall of 0.5 to 2/3 at 1"


def test_probabilities_that_crowd_are_cut_where_they_are():
    soft = [np.where(line(40), 0.501, 0.5 * line(20)) for _ in range(2)]
    evenly = boundary_scores([boundary_counts(one, [line(40)], 9, 0.02, thin=False) for one in soft], 9)
    thresholds = thresholds_among(soft, 4)
    counts = [counts_of_lines(one, [line(40)], thresholds, 0.02, thin=False) for one in soft]
    assert evenly["ods"] == pytest.approx(2 / 3) and boundary_scores(counts, thresholds)["ods"] == 1
    assert len(thresholds_among([np.zeros((3, 3))])) == 1


def test_precision_is_averaged_over_the_recalls_that_are_reached():
    half = boundary_counts(line(40, SIZE // 2) * 0.9, [line(40)], [0.2, 0.5, 0.95], 0.02, thin=False)
    assert boundary_scores([half], [0.2, 0.5, 0.95])["ap"] == pytest.approx(0.505, abs=0.01)
    assert boundary_scores([half], [0.2, 0.5, 0.95])["ods"] == pytest.approx(2 / 3)


def test_thick_lines_become_thin_ones_and_hang_together():
    ndimage = pytest.importorskip("scipy.ndimage")
    thick = np.zeros((20, 30), bool)
    thick[5:10, 3:27] = True
    thin = thinned(thick)
    assert (thin.sum(axis=0) <= 1).all() and (thin & thick).sum() == thin.sum() and thin.sum() >= 18
    np.testing.assert_array_equal(thinned(thin), thin)
    rng = np.random.default_rng(0)
    blobs = ndimage.gaussian_filter(rng.normal(size=(60, 70)), 2) > 0.03
    eight = np.ones((3, 3))
    thin = thinned(blobs)
    assert ndimage.label(thin, eight)[1] == ndimage.label(blobs, eight)[1] and thin.sum() < blobs.sum() / 2
    assert not (thin & ~blobs).any() and not thinned(np.zeros((4, 4))).any()


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 135])
def test_a_soft_ridge_is_suppressed_to_its_crest(angle):
    rows, columns = np.indices((61, 61)) - 30
    across = np.cos(np.deg2rad(angle)) * columns - np.sin(np.deg2rad(angle)) * rows
    soft = np.exp(-(across**2) / 8)
    crest = suppressed(soft)
    inside = np.hypot(rows, columns) < 20
    assert (np.abs(across[inside & (crest > 0.1)]) <= 1).all(), "what is left lies on the crest"
    assert 27 <= (inside & (crest > 0.5)).sum() <= 85 and (crest[0] == 0).all()
    counts = boundary_counts(soft, [thinned(np.abs(across) < 0.71)], 9, 0.02)
    assert boundary_scores([counts], 9)["ods"] > 0.93


@pytest.mark.slow
@pytest.mark.skipif("KERAS_EQUIVARIANT_DATA" not in os.environ, reason="needs bsds500.npz")
def test_people_against_each_other_are_near_what_is_published():
    from keras_equivariant import data

    maps = data.load("bsds500", crops=1).limited(40).references.maps
    counts = [
        boundary_counts(one[i], np.delete(one, i, axis=0), [0.5], thin=False) for one in maps for i in range(len(one))
    ]
    ods = boundary_scores(counts, [0.5])["ods"]
    print(f"one person against the others, {len(counts)} maps of {len(maps)} photographs: F = {ods:.3f}")
    assert 0.77 < ods < 0.83, "0.80 is published, of all 200"
