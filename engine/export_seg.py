"""The two masks of a result, the nodule and the box, as a DICOM Segmentation (PS3.3, A.51)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.events import GenerationResult
from engine.export_ct import SEG_SERIES_NUMBER, mark_as_synthetic, synthesizing_equipment
from engine.export_stamp import Stamp
from engine.synthetic_data import says_made_whole
from engine.versions import PROGRAM, VERSION

if TYPE_CHECKING:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom import Dataset
    from pydicom.sr.coding import Code

#: What outlines and measures: thresholds and morphology on the finished HU (`engine.measurement`), whatever made them.
MEASUREMENT = f"{PROGRAM} measurement"
#: By segment number.
_LABELS = {1: f"Nodule, measured by {PROGRAM}", 2: f"Box asked for in {PROGRAM}"}


def segmentation(ct: Dataset, result: GenerationResult, stamp: Stamp) -> Dataset:
    """Return a binary segmentation with two segments: 1 is the nodule, 2 is the box that was asked for.

    The first is AUTOMATIC and names the measurement; the second is MANUAL, for users say where the box is. A segment 1
    without a pixel has its frame all the same, so that every reader finds the segments that are described.

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
        See `segmentation`. Contributing Equipment names what made the first result.
    """
    from highdicom.seg import Segmentation

    ct, result = images[0], results[0]
    segments = Segmentation(
        source_images=[_with_thickness(without_name(image)) for image in images],
        pixel_array=np.stack([_masks(result) for result in results]),
        segmentation_type="BINARY",
        segment_descriptions=_segment_descriptions(ct, result),
        series_instance_uid=stamp.uid("SEG series"),
        series_number=SEG_SERIES_NUMBER,
        sop_instance_uid=stamp.uid("SEG"),
        instance_number=1,
        manufacturer=PROGRAM,
        manufacturer_model_name=PROGRAM,
        software_versions=VERSION,
        device_serial_number=VERSION,
        content_label="SYNTHETIC_NODULE",
        content_description="Synthetic nodule as measured, and the box asked for",
        series_description="Synthetic nodule and box",
        contributing_equipment=[cast("Any", synthesizing_equipment(result, stamp))],
        omit_empty_frames=False,
    )
    segments.PatientName = ct.PatientName
    if "SpacingBetweenSlices" not in ct:
        # highdicom makes up 1 mm where there is a single slice.
        segments.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].pop("SpacingBetweenSlices", None)
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


def _with_thickness(source: Dataset) -> Dataset:
    """Return the image with a thickness, which highdicom takes for that of the frames.

    Where there is a Frame of Reference, segmentations must give it (PS3.3, C.7.6.16.2.1), unlike CT images: where the
    thickness is not known, it is the distance to the next slice, or 1 mm.
    """
    source.SliceThickness = source.SliceThickness or source.get("SpacingBetweenSlices") or 1
    return source


def _segment_descriptions(ct: Dataset, result: GenerationResult) -> list[SegmentDescription]:
    from pydicom.sr.codedict import codes

    nodule = _described(
        1,
        (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Nodule),
        _measurement_identification(),
        _tracking(1, ct, result),
    )
    nodule.SegmentDescription = "Synthetic nodule. Outline measured from the finished image; not drawn by a person."
    box = _described(
        2,
        (codes.SCT.SpatialAndRelationalConcept, codes.NCIt.ImagingRegionOfInterest),
        None,
        _tracking(2, ct, result),
    )
    around = "the whole slice is synthetic" if says_made_whole(ct) else "nothing else was changed for it"
    box.SegmentDescription = f"Square in which the synthetic nodule was made; {around}."
    return [nodule, box]


def _described(
    number: int,
    category_and_type: tuple[Any, Any],
    algorithm: AlgorithmIdentificationSequence | None,
    tracking: tuple[str, str],
) -> SegmentDescription:
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    category, kind = category_and_type
    return SegmentDescription(
        segment_number=number,
        segment_label=_LABELS[number],
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="MANUAL" if algorithm is None else "AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=tracking[0],
        tracking_id=tracking[1],
        anatomic_regions=[cast("Code", codes.SCT.Lung)],
    )


def _tracking(number: int, ct: Dataset, result: GenerationResult) -> tuple[str, str]:
    """Return UID and ID of what a segment shows (PS3.3, C.8.20.4): the same wherever the same nodule is spoken of.

    They follow from the study and the nodule alone, not from the slice or the moment: all slices in which the nodule
    goes on are of one lesion, and so are later exports of it.
    """
    from pydicom.uid import generate_uid

    extension = result.request.extension
    nodule = extension.continues if extension else result.nodule_sha256()
    uid = generate_uid(entropy_srcs=[str(ct.StudyInstanceUID), nodule, "tracking", str(number)])
    return str(uid), f"{_LABELS[number]} {nodule[:12]}"


def measurement_family() -> Code:
    """Return the family of the algorithm that outlines the nodule (CID 7162)."""
    from pydicom.sr.codedict import codes

    return cast("Code", codes.cid7162.MorphologicalOperations)


def _measurement_identification() -> AlgorithmIdentificationSequence:
    from highdicom import AlgorithmIdentificationSequence

    return AlgorithmIdentificationSequence(MEASUREMENT, measurement_family(), VERSION, source=PROGRAM)
