"""Statistics of reader studies: proportions, areas under ROC curves, and agreement, with 95 % intervals.

- One proportion: Wilson's score interval (Wilson, J. Am. Stat. Assoc. 22 (1927) 209), through statsmodels.
- One reader's AUC: DeLong et al., Biometrics 44 (1988) 837.
- The mean over readers, readers and cases both taken as drawn at random: Obuchowski and Rockette, Commun. Stat.
  Simul. Comput. 24 (1995) 285, for one modality, with the degrees of freedom of Hillis, Stat. Med. 26 (2007) 596.
  Where all readers have the same value, they tell nothing of other readers: for cases alone, readers fixed.
- Agreement: Fleiss, Psychol. Bull. 76 (1971) 378; Cohen's kappa with quadratic weights; both through statsmodels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

#: Two-sided, 95 %.
_ALPHA = 0.05
_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A figure; None where there is none, for too few answers or answers that are all the same.

    Attributes
    ----------
    value : float or None
    low, high : float or None
        Of the 95 % confidence interval.
    count : int
        Of the answers that it is of.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0


NONE = Estimate(None)


def proportion(hits: int, count: int) -> Estimate:
    """Return hits / count with Wilson's interval."""
    if count == 0:
        return NONE
    confint: Any = import_module("statsmodels.stats.proportion").proportion_confint
    low, high = confint(hits, count, _ALPHA, method="wilson")
    return Estimate(hits / count, float(low), float(high), count)


def delong(scores: Matrix, positive: NDArray[np.bool_]) -> tuple[Vector, Matrix]:
    """Return each reader's AUC, and the covariance of the readers' AUCs over cases.

    Parameters
    ----------
    scores : (readers, cases)
        The higher, the surer of a positive case. Ties count half.
    positive : (cases,)
        At least two are, and at least two are not.
    """
    above = scores[:, positive, None] - scores[:, None, ~positive]
    # psi of the paper, equation 2: (readers, positive cases, negative cases)
    psi = np.where(above > 0, 1.0, np.where(above == 0, 0.5, 0.0))
    of_positive, of_negative = psi.mean(axis=2), psi.mean(axis=1)
    covariance = np.atleast_2d(np.cov(of_positive)) / of_positive.shape[1]
    covariance += np.atleast_2d(np.cov(of_negative)) / of_negative.shape[1]
    return psi.mean(axis=(1, 2)), covariance


def has_auc(positive: NDArray[np.bool_]) -> bool:
    """Return whether there are enough cases of both kinds for `delong`."""
    return bool(min(positive.sum(), (~positive).sum()) >= 2)


def single(value: float, variance: float, count: int) -> Estimate:
    """Return a figure with a normal interval, cut off at 0 and 1; without one if the variance is 0."""
    if variance <= 0:
        return Estimate(value, count=count)
    return _within(value, _NORMAL * math.sqrt(variance), count)


def over_readers(values: Vector, covariance: Matrix, count: int) -> Estimate:
    """Return the mean over readers, for readers and cases like these (Obuchowski and Rockette, one modality).

    Of readers who all have the same value: for these readers, and cases like these.

    Parameters
    ----------
    values : (readers,)
    covariance : (readers, readers)
        Of the values over cases, the same cases for all readers.
    count : int
        Of the answers of all readers.
    """
    readers = len(values)
    mean = float(values.mean())
    if readers == 1:
        return single(mean, float(covariance[0, 0]), count)
    if values.min() == values.max():
        return single(mean, float(covariance.sum()) / readers**2, count)
    between = float(values.var(ddof=1))
    shared = float(covariance.sum() - covariance.trace()) / (readers * (readers - 1))
    spread = between + max(readers * shared, 0.0)
    freedom = spread**2 / (between**2 / (readers - 1))
    student: Any = import_module("scipy.stats").t.ppf(1 - _ALPHA / 2, freedom)
    return _within(mean, float(student) * math.sqrt(spread / readers), count)


def mean_correct(correct: NDArray[np.bool_]) -> Estimate:
    """Return the mean over readers of the share that is correct, (readers, cases); see `over_readers`."""
    readers, cases = correct.shape
    if readers == 1:
        return proportion(int(correct.sum()), cases)
    if cases < 2:  # Nothing tells how cases differ.
        return Estimate(float(correct.mean()), count=correct.size)
    values = correct.astype(np.float64)
    return over_readers(values.mean(axis=1), np.cov(values) / cases, correct.size)


def fleiss(ratings: NDArray[np.int64]) -> float | None:
    """Return Fleiss' kappa of ratings, (cases, readers); None for one reader, or if all ratings are the same."""
    if ratings.size == 0 or ratings.shape[1] < 2 or len(np.unique(ratings)) < 2:
        return None
    inter_rater: Any = import_module("statsmodels.stats.inter_rater")
    table, _ = inter_rater.aggregate_raters(ratings)
    return float(inter_rater.fleiss_kappa(table))


def weighted_kappa(one: Sequence[int], other: Sequence[int], most: int) -> float | None:
    """Return Cohen's kappa with quadratic weights of two readers' scores from 1 to `most`; None if it has none."""
    table = contingency(one, other, most)
    if not len(one) or (np.count_nonzero(table.sum(axis=0)) < 2 and np.count_nonzero(table.sum(axis=1)) < 2):
        return None
    kappa: Any = import_module("statsmodels.stats.inter_rater").cohens_kappa
    return float(kappa(table, wt="quadratic", return_results=False))


def mean_weighted_kappa(ratings: NDArray[np.int64], most: int) -> float | None:
    """Return the mean over all pairs of readers of their weighted kappa; `ratings` is (cases, readers)."""
    pairs = itertools.combinations(ratings.T.tolist(), 2)
    kappas = [kappa for one, other in pairs if (kappa := weighted_kappa(one, other, most)) is not None]
    return float(np.mean(kappas)) if kappas else None


def contingency(one: Sequence[int], other: Sequence[int], most: int) -> NDArray[np.int64]:
    """Count pairs of scores from 1 to `most`: (scores of one, scores of the other)."""
    table = np.zeros((most, most), np.int64)
    for row, column in zip(one, other, strict=True):
        table[row - 1, column - 1] += 1
    return table


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the rank correlation; None where one of them is always the same."""
    if len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return float(import_module("scipy.stats").spearmanr(one, other).statistic)


def _within(value: float, reach: float, count: int) -> Estimate:
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach), count)
