from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pydicom
import pytest
from matplotlib.path import Path as Polygon
from scipy import ndimage

from engine.export_lidc_xml import outlines
from engine.exports import export_files
from engine.nodule import NoduleAttributes
from tests.engine.placed_nodules import make_result, make_volume, make_whole_slice, source_header
from training.pylidc_compatibility import import_pylidc

NAMES = {"lidc": "http://www.nih.gov"}


def filled(found, shape):
    """Return the mask of outlines as pylidc's `Annotation.boolean_mask` fills them."""
    pixels = np.argwhere(np.ones(shape, bool))
    mask = np.zeros(shape, bool)
    for included in (True, False):
        for points, includes in found:
            if includes == included:
                closed = np.vstack([points, points[:1]])
                inside = Polygon(closed, closed=True).contains_points(pixels).reshape(shape)
                mask = mask | inside if included else mask & ~inside
                mask[tuple(points.T)] = False
    return mask


def blob(seed):
    """Return a random mask without holes, in one piece, away from the edges."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(30, 30)), 2)
    noise[[0, -1]] = noise[:, [0, -1]] = -1
    labels, _ = ndimage.label(noise > 0)
    return ndimage.binary_fill_holes(labels == 1)


def mask_of(*rows):
    return np.pad(np.array([[letter == "#" for letter in row] for row in rows]), 2)


@pytest.mark.parametrize(
    "mask",
    [
        mask_of("#"),
        mask_of("##"),
        mask_of("#.", ".#"),
        mask_of("###", "#.#", "###"),
        mask_of("####", "#..#", "#..#", "####"),
        mask_of("##.##", "##.##"),
        mask_of("#...#", "#####"),
        *(blob(seed) for seed in range(12)),
    ],
)
def test_outlines_enclose_the_mask_and_nothing_else(mask):
    found = outlines(mask)
    np.testing.assert_array_equal(filled(found, mask.shape), mask)
    for points, _ in found:
        assert not mask[tuple(points.T)].any()


def test_holes_are_cut_out():
    found = outlines(mask_of("####", "#..#", "#..#", "####"))
    assert [includes for _, includes in found] == [True, False]


def test_points_follow_each_other():
    (points, _), *others = outlines(blob(3))
    assert not others
    steps = np.abs(np.diff(np.vstack([points, points[:1]]), axis=0)).max(axis=1)
    assert steps[:-1].tolist() == [1] * (len(steps) - 1)


def test_a_mask_at_the_edge_of_the_slice_stays_on_it():
    mask = np.zeros((6, 6), bool)
    mask[:3, 3:] = True
    for points, _ in outlines(mask):
        assert points.min() >= 0
        assert points.max() <= 5


def test_an_empty_mask_has_none():
    assert outlines(np.zeros((4, 4), bool)) == []


def written(volume, result, folder, slice_index=1):
    export_files(volume, slice_index, result, folder, ["DICOM", "LIDC XML"])
    return ElementTree.parse(folder / "nodule.xml").getroot(), pydicom.dcmread(folder / "slice.dcm")


@pytest.fixture
def volume():
    return make_volume((source_header(), source_header(SOPInstanceUID="1.2.3.4.6")))


def text(root, path):
    return root.findtext("/".join(f"lidc:{name}" for name in path.split("/")), namespaces=NAMES)


def test_it_is_a_reading_of_the_exported_image(volume, tmp_path):
    root, image = written(volume, make_result(volume), tmp_path)
    assert root.tag == "{http://www.nih.gov}LidcReadMessage"
    assert text(root, "ResponseHeader/SeriesInstanceUid") == image.SeriesInstanceUID
    assert text(root, "ResponseHeader/StudyInstanceUID") == image.StudyInstanceUID
    roi = "readingSession/unblindedReadNodule/roi"
    assert text(root, f"{roi}/imageSOP_UID") == image.SOPInstanceUID
    assert float(text(root, f"{roi}/imageZposition")) == image.ImagePositionPatient[2]
    assert text(root, f"{roi}/inclusion") == "TRUE"


def test_the_scores_and_no_others(volume, tmp_path):
    root, _ = written(volume, make_result(volume), tmp_path)
    marks = root.find(".//lidc:characteristics", NAMES)
    scores = {mark.tag.split("}")[1]: int(mark.text) for mark in marks}
    assert scores == {
        **{"sphericity": 4, "margin": 5, "lobulation": 1, "texture": 3},
    }


def test_a_nodule_without_scores_is_no_small_one(volume, tmp_path):
    """Those below 3 mm have no element of characteristics in the LIDC."""
    result = make_result(volume)
    request = replace(result.request, attributes=NoduleAttributes(*[None] * 5))
    root, _ = written(volume, replace(result, request=request), tmp_path)
    assert list(root.find(".//lidc:characteristics", NAMES)) == []


def test_the_header_is_in_the_order_of_the_lidc(volume, tmp_path):
    root, _ = written(volume, make_result(volume), tmp_path)
    assert " ".join(element.tag.split("}")[1] for element in root.find("lidc:ResponseHeader", NAMES)) == (
        "Version MessageId DateRequest TimeRequest RequestingSite ServicingSite TaskDescription SeriesInstanceUid "
        "DateService TimeService ResponseDescription StudyInstanceUID"
    )


def test_x_is_the_column_and_y_the_row(volume, tmp_path):
    result = make_result(volume)
    root, _ = written(volume, result, tmp_path)
    points = np.array(
        [
            (int(edge.findtext("lidc:yCoord", namespaces=NAMES)), int(edge.findtext("lidc:xCoord", namespaces=NAMES)))
            for edge in root.iterfind(".//lidc:edgeMap", NAMES)
        ]
    )
    mask = result.measurement.mask
    np.testing.assert_array_equal(filled([(points, True)], mask.shape), mask)


def test_pylidc_reads_the_mask_back(volume, tmp_path):
    """Its own class, filled with what the file says, as its database was filled from the LIDC's files."""
    result = make_result(volume)
    root, _ = written(volume, result, tmp_path)
    edges = root.iterfind(".//lidc:edgeMap", NAMES)
    coords = "\n".join(
        ",".join(edge.findtext(f"lidc:{axis}Coord", namespaces=NAMES) for axis in "xy") for edge in edges
    )
    contour = import_pylidc().Contour()
    object.__setattr__(contour, "coords", coords)  # Its own lets nobody write what is in the database.
    points = contour.to_matrix(include_k=False)
    mask = result.measurement.mask
    np.testing.assert_array_equal(filled([(points, True)], mask.shape), mask)


def test_without_a_nodule_the_session_is_empty(volume, tmp_path):
    root, _ = written(volume, make_result(volume, nodule=False), tmp_path)
    assert root.find("lidc:readingSession", NAMES) is not None
    assert root.find(".//lidc:unblindedReadNodule", NAMES) is None


def test_of_a_slice_that_was_made_whole(tmp_path):
    volume, result = make_whole_slice()
    root, _ = written(volume, result, tmp_path, 0)
    assert root.find(".//lidc:edgeMap", NAMES) is not None
