"""The finished nodule as a structured report: TID 1500, Measurement Report (DICOM PS3.16).

Concepts and values of the attributes are those of the collection DICOM-LIDC-IDRI-Nodules (Fedorov et al., Medical
Physics 47, 2020, 5953-5965), so that what reads that collection reads this: NCIt and RadLex where they have a code,
99LIDCQIICR where they have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.events import GenerationResult
from engine.export_ct import SR_SERIES_NUMBER, mark_as_synthetic, synthesizing_equipment
from engine.export_seg import MEASUREMENT, measurement_family, without_name
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

    Scores that were not given are left out. Without a nodule in the mask, the report says that the nodule is absent,
    and nothing else: there is nothing that figures or scores could be of.

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
        manufacturer_model_name=PROGRAM,
        software_versions=VERSION,
        device_serial_number=VERSION,
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
        uid=Stamp(f"{MEASUREMENT} {VERSION}", stamp.made.min).uid("device"),
        name=MEASUREMENT,
        manufacturer_name=PROGRAM,
        model_name=PROGRAM,
        serial_number=VERSION,
    )
    observer = sr.ObserverContext(_any(codes.DCM.Device), device)
    found = result.measurement.mask.any()
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=sr.CodedConcept("24627-2", "LN", "CT Chest"),
        imaging_measurements=[_nodule(ct, segments, result) if found else _no_nodule(ct, segments)],
        title=_any(codes.DCM.ImagingMeasurementReport),
    )


def _nodule(ct: Dataset, segments: Dataset, result: GenerationResult) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(segments),
        referenced_segment=_segment_of_nodule(ct, segments),
        finding_type=_any(codes.SCT.Nodule),
        finding_category=_any(codes.SCT.MorphologicallyAbnormalStructure),
        finding_sites=[sr.FindingSite(_any(codes.SCT.Lung))],
        session=SESSION,
        measurements=_measurements(result),
        qualitative_evaluations=_evaluations(result),
    )


def _no_nodule(ct: Dataset, segments: Dataset) -> Any:
    """Return what says that the measurement found no nodule: a report must hold one group of measurements."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(segments),
        finding_sites=[sr.FindingSite(_any(codes.SCT.Lung))],
        qualitative_evaluations=[sr.QualitativeEvaluation(_any(codes.SCT.Nodule), _any(codes.cid240.Absent))],
        source_images=[sr.SourceImageForMeasurementGroup(ct.SOPClassUID, ct.SOPInstanceUID)],
    )


def _tracking(segments: Dataset) -> Any:
    """Return that the report speaks of the nodule of the segment."""
    from highdicom.sr import TrackingIdentifier

    nodule = segments.SegmentSequence[0]
    return TrackingIdentifier(nodule.TrackingUID, nodule.TrackingID)


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


def _algorithm() -> Any:
    from highdicom.sr import AlgorithmIdentification

    return AlgorithmIdentification(MEASUREMENT, VERSION, family=measurement_family(), manufacturer=PROGRAM)


def _measurements(result: GenerationResult) -> list[Measurement]:
    """Return diameter and mean HU; each names its algorithm, for the scores beside them are not of it."""
    from highdicom.sr import CodedConcept, Measurement
    from pydicom.sr.codedict import codes

    diameter = Measurement(
        name=_any(codes.SCT.Diameter),
        value=float(np.round(result.measurement.diameter_mm, 3)),
        unit=_any(codes.UCUM.Millimeter),
        algorithm_id=_algorithm(),
        method=CodedConcept("circle-of-area", "99NODSTUDIO", "Diameter of the circle with the area of the mask"),
    )
    mean_hu = Measurement(
        name=_any(codes.DCM.AttenuationCoefficient),
        value=float(np.round(result.measurement.mean_hu, 2)),
        unit=_any(codes.UCUM.HounsfieldUnit),
        algorithm_id=_algorithm(),
        derivation=_any(codes.SCT.Mean),
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
