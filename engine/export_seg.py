"""The two masks of a result, the nodule and the box, as a DICOM Segmentation (PS3.3, A.51)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engine.events import GenerationResult
from engine.export_ct import (
    SEG_SERIES_NUMBER,
    algorithm_name,
    algorithm_version,
    mark_as_synthetic,
    synthesizing_equipment,
)
from engine.versions import PROGRAM, VERSION

if TYPE_CHECKING:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom import Dataset
    from pydicom.sr.coding import Code


def segmentation(ct: Dataset, result: GenerationResult) -> Dataset:
    """Return a binary segmentation with two segments: 1 is the nodule, 2 is the box that was asked for.

    Both are AUTOMATIC and name the algorithm. A segment 1 without a pixel has its frame all the same, so that
    every reader finds the segments that are described.

    Parameters
    ----------
    ct : Dataset
        The image made of the same result by `engine.export_ct.ct_image`.
    """
    from highdicom import PixelMeasuresSequence
    from highdicom.seg import Segmentation
    from pydicom.uid import generate_uid

    box = np.zeros(result.slice.shape, np.bool_)
    box[result.request.box.slices] = True
    segments = Segmentation(
        source_images=[_without_name(ct)],
        pixel_array=np.stack([result.measurement.mask, box], axis=-1)[np.newaxis],
        segmentation_type="BINARY",
        segment_descriptions=_segment_descriptions(result),
        series_instance_uid=generate_uid(),
        series_number=SEG_SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=PROGRAM,
        manufacturer_model_name=algorithm_name(result),
        software_versions=VERSION,
        device_serial_number=result.checkpoint_sha256[:16] or VERSION,
        content_label="SYNTHETIC_NODULE",
        content_description="Synthetic nodule as measured, and the box asked for",
        series_description="Synthetic nodule and box",
        contributing_equipment=[cast("Any", synthesizing_equipment(result))],
        pixel_measures=PixelMeasuresSequence(ct.PixelSpacing, ct.SliceThickness, ct.get("SpacingBetweenSlices")),
        omit_empty_frames=False,
    )
    segments.PatientName = ct.PatientName
    mark_as_synthetic(segments)
    return segments


def _without_name(ct: Dataset) -> Dataset:
    """Return a copy of the image without the patient's name: highdicom warns of names of one component."""
    source = deepcopy(ct)
    source.PatientName = None
    return source


def _segment_descriptions(result: GenerationResult) -> list[SegmentDescription]:
    from pydicom.sr.codedict import codes

    nodule = _described(
        1,
        f"Nodule, measured by {PROGRAM}",
        (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Nodule),
        result,
    )
    nodule.SegmentDescription = "Synthetic nodule. Outline measured from the finished image; not drawn by a person."
    box = _described(
        2,
        f"Box asked for in {PROGRAM}",
        (codes.SCT.SpatialAndRelationalConcept, codes.NCIt.ImagingRegionOfInterest),
        result,
    )
    box.SegmentDescription = "Square in which the synthetic nodule was made; all else is as it was read."
    return [nodule, box]


def _described(
    number: int, label: str, category_and_type: tuple[Any, Any], result: GenerationResult
) -> SegmentDescription:
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    category, kind = category_and_type
    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=_algorithm(result),
        tracking_uid=generate_uid(),
        tracking_id=label,
        anatomic_regions=[cast("Code", codes.SCT.Lung)],
    )


def _algorithm(result: GenerationResult) -> AlgorithmIdentificationSequence:
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
