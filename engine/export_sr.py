"""The finished nodule as a structured report: TID 1500, Measurement Report (DICOM PS3.16).

Concepts and values of the attributes are those of the collection DICOM-LIDC-IDRI-Nodules (Fedorov et al., Medical
Physics 47, 2020, 5953-5965), so that what reads that collection reads this: NCIt and RadLex where they have a code,
99LIDCQIICR where they have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.events import GenerationResult
from engine.export_ct import (
    SR_SERIES_NUMBER,
    algorithm_name,
    algorithm_version,
    mark_as_synthetic,
    synthesizing_equipment,
)
from engine.export_seg import tracking_uid, without_name
from engine.export_stamp import Stamp
from engine.nodule import SCORE_NAMES
from engine.versions import PROGRAM, VERSION

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept, Measurement, MeasurementReport, QualitativeEvaluation
    from pydicom import Dataset

_LIDC = "99LIDCQIICR"
_Coded = tuple[str, str, str]
#: Value, scheme and meaning of each attribute's name.
_ATTRIBUTES: dict[str, _Coded] = {
    "sphericity": ("400", _LIDC, "Sphericity"),
    "margin": ("C25563", "NCIt", "Margin"),
    "lobulation": ("C62175", "NCIt", "Lobular Pattern"),
    "spiculation": ("C28749", "NCIt", "Spiculation"),
    "texture": ("C41144", "NCIt", "Texture"),
}
#: Those of the scores that have a code of their own; the others are "n out of 5".
_SCORES: dict[tuple[str, int], _Coded] = {
    ("sphericity", 1): ("RID5811", "RADLEX", "linear"),
    ("sphericity", 3): ("RID5800", "RADLEX", "ovoid"),
    ("sphericity", 5): ("RID5799", "RADLEX", "round"),
    ("margin", 1): ("RID5709", "RADLEX", "Indistinct margin"),
    ("margin", 5): ("RID5707", "RADLEX", "Circumscribed margin"),
    ("lobulation", 1): ("601", _LIDC, "1 out of 5 (No lobulation)"),
    ("lobulation", 5): ("605", _LIDC, "5 out of 5 (Marked lobulation)"),
    ("spiculation", 1): ("701", _LIDC, "1 out of 5 (No spiculation)"),
    ("spiculation", 5): ("705", _LIDC, "5 out of 5 (Marked spiculation)"),
    ("texture", 1): ("RID50153", "RADLEX", "non-solid pulmonary nodule"),
    ("texture", 3): ("RID50152", "RADLEX", "part-solid pulmonary nodule"),
    ("texture", 5): ("RID50151", "RADLEX", "solid pulmonary nodule"),
}
#: Scores are what the generator was asked for; no person read them.
SESSION = "Scores asked of the generator"


def structured_report(ct: Dataset, segments: Dataset, result: GenerationResult, stamp: Stamp) -> Dataset:
    """Return a report of diameter, mean HU and the five scores asked for, tied to the nodule's segment.

    Without a nodule in the mask there is no diameter, and mean HU are those of the middle of the box
    (`engine.measurement`). Scores that were not given are left out.

    Parameters
    ----------
    ct, segments : Dataset
        The image and the segmentation made of the same result.
    stamp : Stamp
        Theirs.
    """
    from highdicom.sr import ComprehensiveSR

    report = ComprehensiveSR(
        evidence=[without_name(ct), without_name(segments)],
        content=_content(ct, segments, result, stamp)[0],
        series_instance_uid=stamp.uid("SR series"),
        series_number=SR_SERIES_NUMBER,
        sop_instance_uid=stamp.uid("SR"),
        instance_number=1,
        manufacturer=PROGRAM,
        is_complete=True,
        is_final=True,
        series_description="Synthetic nodule: measurements",
        manufacturer_model_name=algorithm_name(result),
        software_versions=VERSION,
        device_serial_number=result.checkpoint_sha256[:16] or VERSION,
        contributing_equipment=[_any(synthesizing_equipment(result, stamp))],
    )
    report.PatientName = ct.PatientName
    mark_as_synthetic(report, stamp)
    return report


def attribute_concept(name: str) -> CodedConcept:
    """Return the code of one of the five attributes, by its name in `SCORE_NAMES`."""
    from highdicom.sr import CodedConcept

    value, scheme, meaning = _ATTRIBUTES[name]
    return CodedConcept(value, scheme, meaning)


def score_concept(name: str, score: int) -> CodedConcept:
    """Return the code of a score from 1 to 5 of an attribute."""
    from highdicom.sr import CodedConcept

    value, scheme, meaning = _SCORES.get((name, score), (f"00{score}", _LIDC, f"{score} out of 5"))
    return CodedConcept(value, scheme, meaning)


def _content(ct: Dataset, segments: Dataset, result: GenerationResult, stamp: Stamp) -> MeasurementReport:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    device = sr.DeviceObserverIdentifyingAttributes(
        uid=Stamp(result.checkpoint_sha256, stamp.made.min).uid("device"),
        name=algorithm_name(result),
        manufacturer_name=PROGRAM,
        model_name=result.checkpoint_name[:64] or PROGRAM,
        serial_number=algorithm_version(result),
    )
    observer = sr.ObserverContext(_any(codes.DCM.Device), device)
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=sr.CodedConcept("24627-2", "LN", "CT Chest"),
        imaging_measurements=[_nodule(ct, segments, result, stamp)],
        title=_any(codes.DCM.ImagingMeasurementReport),
    )


def _nodule(ct: Dataset, segments: Dataset, result: GenerationResult, stamp: Stamp) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(tracking_uid(1, stamp), f"Nodule, measured by {PROGRAM}"),
        referenced_segment=_segment_of_nodule(ct, segments),
        finding_type=_any(codes.SCT.Nodule),
        finding_category=_any(codes.SCT.MorphologicallyAbnormalStructure),
        finding_sites=[sr.FindingSite(_any(codes.SCT.Lung))],
        algorithm_id=_algorithm(result),
        session=SESSION,
        measurements=_measurements(result),
        qualitative_evaluations=_evaluations(result),
    )


def _segment_of_nodule(ct: Dataset, segments: Dataset) -> Any:
    from highdicom.sr import ReferencedSegmentationFrame, SourceImageForSegmentation

    segment = ReferencedSegmentationFrame(
        sop_class_uid=segments.SOPClassUID,
        sop_instance_uid=segments.SOPInstanceUID,
        frame_number=1,
        segment_number=1,
        source_image=SourceImageForSegmentation(ct.SOPClassUID, ct.SOPInstanceUID),
    )
    # A frame is of one segment, so that both numbers may not stand there (PS3.3, Table 10-3).
    del segment[0].ReferencedSOPSequence[0].ReferencedSegmentNumber
    return segment


def _algorithm(result: GenerationResult) -> Any:
    from highdicom.sr import AlgorithmIdentification
    from pydicom.sr.codedict import codes

    options = result.request.options
    parameters = [f"seed={options.seed}", f"steps={options.steps}", f"guidance={options.guidance:g}"]
    return AlgorithmIdentification(
        name=algorithm_name(result),
        version=algorithm_version(result),
        parameters=[*parameters, f"solver={options.solver}"],
        family=_any(codes.cid7162.ArtificialIntelligence),
        manufacturer=PROGRAM,
    )


def _measurements(result: GenerationResult) -> list[Measurement]:
    from highdicom.sr import CodedConcept, Measurement
    from pydicom.sr.codedict import codes

    measured = result.measurement
    mean_hu = Measurement(
        name=_any(codes.DCM.AttenuationCoefficient),
        value=float(np.round(measured.mean_hu, 2)),
        unit=_any(codes.UCUM.HounsfieldUnit),
        derivation=_any(codes.SCT.Mean),
    )
    if not measured.mask.any():
        return [mean_hu]
    diameter = Measurement(
        name=_any(codes.SCT.Diameter),
        value=float(np.round(measured.diameter_mm, 3)),
        unit=_any(codes.UCUM.Millimeter),
        method=CodedConcept("circle-of-area", "99NODSTUDIO", "Diameter of the circle with the area of the mask"),
    )
    return [diameter, mean_hu]


def _evaluations(result: GenerationResult) -> list[QualitativeEvaluation]:
    from highdicom.sr import QualitativeEvaluation

    scores = zip(SCORE_NAMES, result.request.attributes.scores, strict=True)
    return [
        QualitativeEvaluation(attribute_concept(name), score_concept(name, score))
        for name, score in scores
        if score is not None
    ]


def _any(code: object) -> Any:
    """Return a code of pydicom's dictionary, whose attributes have no types."""
    return code
