"""Against published examples, and figures worked out by hand or another way.

The tables were compared with those that others test with: Fleiss' with the data of irr in statsmodels' own tests,
Newcombe's and Hanley and McNeil's with tests of several other programs. The papers themselves were not at hand.
"""

import math

import numpy as np
import pytest
from scipy.stats import rankdata, t

from engine.study_statistics import (
    NONE,
    Estimate,
    delong,
    fleiss,
    has_auc,
    mean_correct,
    mean_weighted_kappa,
    over_readers,
    proportion,
    single,
    spearman,
    weighted_kappa,
)

#: Fleiss 1971, table 1: diagnoses of 30 patients by 6 psychiatrists each.
FLEISS_1971 = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006
10050 11040 03300 10050 02031 00501 30012 51000 02040 10203
00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
#: Hanley and McNeil, Radiology 143 (1982) 29, table I: CT of 109 patients, rated from 1 (normal) to 5 (abnormal).
NORMAL, ABNORMAL = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)


def spread_out(counts):
    return [value for value, count in enumerate(counts, start=1) for _ in range(count)]


def test_fleiss_kappa_of_fleiss():
    """0.430 in the paper; 0.4302445 of kappam.fleiss in R's irr, as statsmodels' tests quote it."""
    ratings = np.array([spread_out(map(int, counts)) for counts in FLEISS_1971.split()])
    assert ratings.shape == (30, 6)
    assert fleiss(ratings) == pytest.approx(0.4302445, abs=5e-8)


def test_fleiss_kappa_by_hand():
    """2 readers, 4 cases: agree on 3 of 4; shares 5/8 and 3/8: (3/4 - 34/64) / (1 - 34/64) = 7/15."""
    assert fleiss(np.array([[1, 1], [1, 1], [2, 2], [1, 2]])) == pytest.approx(7 / 15)


def test_weighted_kappa_by_hand():
    """Squared differences seen: 1 + 4 = 5 of 5 cases; expected of the margins (2, 2, 1) and (1, 2, 2): 32 / 5."""
    one, other = [1, 1, 2, 2, 3], [1, 2, 2, 3, 3]
    seen = sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / 5
    expected = sum((a - b) ** 2 for a in one for b in other) / 25
    assert (seen, expected) == (2 / 5, 32 / 25)
    assert weighted_kappa(one, other, 3) == pytest.approx(1 - (2 / 5) / (32 / 25))
    assert weighted_kappa(one, other, 5) == pytest.approx(0.6875)
    assert mean_weighted_kappa(np.array([one, other, one]).T, 3) == pytest.approx((0.6875 + 1 + 0.6875) / 3)


def test_wilson_interval_of_newcombe():
    """Newcombe, Stat. Med. 17 (1998) 857, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for hits, count, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = proportion(hits, count)
        assert (found.value, found.count) == (hits / count, count)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_auc_of_hanley_and_mcneil():
    """AUC 0.893 in the paper; DeLong's standard error, 0.0307, and what follows are worked out anew, of ranks."""
    scores = np.array([spread_out(NORMAL) + spread_out(ABNORMAL)], float)
    positive = np.arange(109) >= 58
    values, covariance = delong(scores, positive)
    assert values[0] == pytest.approx(0.8932, abs=5e-5)
    assert math.sqrt(covariance[0, 0]) == pytest.approx(0.0307, abs=5e-5)
    assert (values[0], covariance[0, 0]) == pytest.approx(of_ranks(scores[0], positive), rel=1e-12)
    found = single(values[0], covariance[0, 0], 109)
    assert (found.low, found.high) == (pytest.approx(0.83295, abs=5e-6), pytest.approx(0.95339, abs=5e-6))


def of_ranks(scores, positive):
    """AUC, and DeLong's variance, of midranks among all cases and among those of one kind (Sun and Xu 2014)."""
    ranks = rankdata(scores)
    above = ranks[positive] - rankdata(scores[positive])
    below = ranks[~positive] - rankdata(scores[~positive])
    of_positive, of_negative = above / len(below), 1 - below / len(above)
    variance = of_positive.var(ddof=1) / len(above) + of_negative.var(ddof=1) / len(below)
    return of_positive.mean(), variance


def test_auc_by_hand():
    """Positive 3, 4, 5, negative 1, 3, 2: 8.5 of 9 pairs; placements 5/6, 1, 1 on both sides: variance 2 x 1/324."""
    scores = np.array([[3.0, 4, 5, 1, 3, 2], [5, 4, 3, 2, 1, 3]])
    values, covariance = delong(scores, np.array([True] * 3 + [False] * 3))
    assert values == pytest.approx([17 / 18, 17 / 18])
    assert covariance == pytest.approx(np.array([[1 / 162, 0], [0, 1 / 162]]) + off_diagonal(scores))


def off_diagonal(scores):
    """Sums written out: placements (5/6, 1, 1) and (1, 1, 5/6) of positive, (1, 5/6, 1) and (1, 1, 5/6) of negative."""
    assert scores.shape == (2, 6)
    mean = 17 / 18
    one = sum((a - mean) * (b - mean) for a, b in zip((5 / 6, 1, 1), (1, 1, 5 / 6), strict=True)) / 2 / 3
    other = sum((a - mean) * (b - mean) for a, b in zip((1, 5 / 6, 1), (1, 1, 5 / 6), strict=True)) / 2 / 3
    return np.array([[0, one + other], [one + other, 0]])


def test_mean_over_readers_by_hand():
    """Variance between readers 0.005, covariance 0.001: spread 0.005 + 2 x 0.001, 0.007² / 0.005² = 1.96 degrees."""
    found = over_readers(np.array([0.6, 0.7]), np.array([[0.002, 0.001], [0.001, 0.003]]), 80)
    reach = t.ppf(0.975, 1.96) * math.sqrt(0.007 / 2)
    assert found == Estimate(pytest.approx(0.65), pytest.approx(0.65 - reach), pytest.approx(0.65 + reach), 80)
    assert reach == pytest.approx(0.2591, abs=5e-4)


def test_readers_alike_leave_the_cases():
    """No variance between readers: that of their mean over cases, (0.002 + 0.002 + 2 x 0.001) / 4, normal."""
    found = over_readers(np.array([0.7, 0.7]), np.array([[0.002, 0.001], [0.001, 0.002]]), 80)
    assert found.low == pytest.approx(0.7 - 1.959964 * math.sqrt(0.0015))


def test_readers_alike_who_err_on_different_cases_have_an_interval():
    """1 1 0 0 and 1 0 1 0 have no covariance, and each a variance of 1/3 of 4 cases; then three with one below 0."""
    correct = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool)
    reach = 1.959964 * math.sqrt(2 / 12 / 4)
    assert mean_correct(correct) == Estimate(0.5, pytest.approx(0.5 - reach), pytest.approx(0.5 + reach), 8)
    apart = np.array([[0.004, -0.001, -0.001], [-0.001, 0.004, -0.001], [-0.001, -0.001, 0.004]])
    found = over_readers(np.array([0.7] * 3), apart, 60)
    assert found.high == pytest.approx(0.7 + 1.959964 * math.sqrt(0.006 / 9))


def test_a_covariance_below_0_counts_as_none():
    """Variance between readers 0.005, of two: their mean has 0.005 / 2, with 1 degree of freedom."""
    found = over_readers(np.array([0.6, 0.7]), np.array([[0.002, -0.001], [-0.001, 0.003]]), 80)
    assert found.high == pytest.approx(min(1, 0.65 + t.ppf(0.975, 1) * math.sqrt(0.005 / 2)))


def test_shares_over_readers():
    correct = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    found = mean_correct(correct)
    # Covariance of the two over cases: the sum of products is 2, the means are 3/4 and 1/2.
    shared = (2 - 4 * 0.75 * 0.5) / 3 / 4
    spread = 0.25**2 / 2 + 2 * shared
    freedom = spread**2 / (0.25**2 / 2) ** 2
    assert found.value == 0.625
    assert found.high == pytest.approx(min(1, 0.625 + t.ppf(0.975, freedom) * math.sqrt(spread / 2)))
    assert mean_correct(correct[:1]) == proportion(3, 4)


def test_one_case_tells_nothing_of_other_cases():
    assert mean_correct(np.array([[True], [False]])) == Estimate(0.5, count=2)


def test_what_has_no_figure_has_none():
    assert proportion(0, 0) == NONE
    assert fleiss(np.ones((4, 3), int)) is None
    assert fleiss(np.array([[1], [2]])) is None
    assert fleiss(np.zeros((0, 3), int)) is None
    assert weighted_kappa([], [], 5) is None
    assert weighted_kappa([2, 2], [2, 2], 5) is None
    assert mean_weighted_kappa(np.array([[1], [2]]), 5) is None
    assert spearman([1, 2], [3, 3]) is None
    assert spearman([], []) is None
    assert not has_auc(np.array([True, False, False]))
    assert over_readers(np.array([1.0, 1.0]), np.zeros((2, 2)), 4) == Estimate(1.0, count=4)


def test_rank_correlation_by_hand():
    """1 - 6 x (1 + 1) / (4 x 15)."""
    assert spearman([1, 2, 3, 4], [2, 1, 3, 4]) == pytest.approx(0.8)
