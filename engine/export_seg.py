"""The two masks of a result, the nodule and the box, as a DICOM Segmentation (PS3.3, A.51)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.events import GenerationResult
from engine.export_ct import (
    SEG_SERIES_NUMBER,
    algorithm_name,
    algorithm_version,
    mark_as_synthetic,
    synthesizing_equipment,
)
from engine.export_stamp import Stamp
from engine.synthetic_data import says_made_whole
from engine.versions import PROGRAM, VERSION

if TYPE_CHECKING:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom import Dataset
    from pydicom.sr.coding import Code


def segmentation(ct: Dataset, result: GenerationResult, stamp: Stamp) -> Dataset:
    """Return a binary segmentation with two segments: 1 is the nodule, 2 is the box that was asked for.

    Both are AUTOMATIC and name the algorithm. A segment 1 without a pixel has its frame all the same, so that
    every reader finds the segments that are described.

    Parameters
    ----------
    ct : Dataset
        The image made of the same result by `engine.export_ct.ct_image`.
    stamp : Stamp
        That of the image.
    """
    return segmentation_over_slices([ct], [result], stamp)


def segmentation_over_slices(images: Sequence[Dataset], results: Sequence[GenerationResult], stamp: Stamp) -> Dataset:
    """Return the segmentation of one nodule in several slices: each segment has a frame in each of them.

    Parameters
    ----------
    images, results : in the same order, of one length
        See `segmentation`. The segments name what made the first result.
    """
    from highdicom import PixelMeasuresSequence
    from highdicom.seg import Segmentation

    ct, result = images[0], results[0]
    segments = Segmentation(
        source_images=[without_name(image) for image in images],
        pixel_array=np.stack([_masks(result) for result in results]),
        segmentation_type="BINARY",
        segment_descriptions=_segment_descriptions(ct, result, stamp),
        series_instance_uid=stamp.uid("SEG series"),
        series_number=SEG_SERIES_NUMBER,
        sop_instance_uid=stamp.uid("SEG"),
        instance_number=1,
        manufacturer=PROGRAM,
        manufacturer_model_name=algorithm_name(result),
        software_versions=VERSION,
        device_serial_number=result.checkpoint_sha256[:16] or VERSION,
        content_label="SYNTHETIC_NODULE",
        content_description="Synthetic nodule as measured, and the box asked for",
        series_description="Synthetic nodule and box",
        contributing_equipment=[cast("Any", synthesizing_equipment(result, stamp))],
        pixel_measures=PixelMeasuresSequence(ct.PixelSpacing, ct.SliceThickness, ct.get("SpacingBetweenSlices")),
        omit_empty_frames=False,
    )
    segments.PatientName = ct.PatientName
    for item in (*segments.DimensionOrganizationSequence, *segments.DimensionIndexSequence):
        # highdicom draws it at random: the same export must have the same bytes.
        item.DimensionOrganizationUID = stamp.uid("SEG dimensions")
    mark_as_synthetic(segments, stamp)
    return segments


def _masks(result: GenerationResult) -> NDArray[np.bool_]:
    """(rows, columns, 2): the nodule as measured, and the box."""
    return np.stack([result.measurement.mask, result.request.box.mask()], axis=-1)


def without_name(ct: Dataset) -> Dataset:
    """Return a copy of the image without the patient's name: highdicom warns of names of one component."""
    source = deepcopy(ct)
    source.PatientName = None
    return source


def _segment_descriptions(ct: Dataset, result: GenerationResult, stamp: Stamp) -> list[SegmentDescription]:
    from pydicom.sr.codedict import codes

    nodule = _described(
        1,
        f"Nodule, measured by {PROGRAM}",
        (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Nodule),
        result,
        stamp,
    )
    nodule.SegmentDescription = "Synthetic nodule. Outline measured from the finished image; not drawn by a person."
    box = _described(
        2,
        f"Box asked for in {PROGRAM}",
        (codes.SCT.SpatialAndRelationalConcept, codes.NCIt.ImagingRegionOfInterest),
        result,
        stamp,
    )
    around = "the whole slice is synthetic" if says_made_whole(ct) else "nothing else was changed for it"
    box.SegmentDescription = f"Square in which the synthetic nodule was made; {around}."
    return [nodule, box]


def _described(
    number: int, label: str, category_and_type: tuple[Any, Any], result: GenerationResult, stamp: Stamp
) -> SegmentDescription:
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    category, kind = category_and_type
    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm_identification(result),
        tracking_uid=tracking_uid(number, stamp),
        tracking_id=label,
        anatomic_regions=[cast("Code", codes.SCT.Lung)],
    )


def tracking_uid(segment_number: int, stamp: Stamp) -> str:
    """Return the UID by which segmentation and report know that they speak of the same thing."""
    return stamp.uid("tracking", str(segment_number))


def algorithm_identification(result: GenerationResult) -> AlgorithmIdentificationSequence:
    """Return what made the nodule: program, checkpoint, and the options of the request."""
    from highdicom import AlgorithmIdentificationSequence
    from pydicom.sr.codedict import codes

    options = result.request.options
    return AlgorithmIdentificationSequence(
        name=algorithm_name(result),
        family=cast("Code", codes.cid7162.ArtificialIntelligence),
        version=algorithm_version(result),
        source=PROGRAM,
        parameters={
            "seed": str(options.seed),
            "steps": str(options.steps),
            "guidance": f"{options.guidance:g}",
            "solver": options.solver,
        },
    )
