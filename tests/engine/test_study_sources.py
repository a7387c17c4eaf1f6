"""What a study is read from: exports, journals, tables and series."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from engine import journal, lungs
from engine.errors import InputError
from engine.events import Extension, SliceSource
from engine.exports import export_all, export_files
from engine.nodule import BoundingBox
from engine.study import open_study
from engine.study_building import StudyPlan, build_study
from engine.study_sources import read_sources
from tests.engine.placed_nodules import make_result, make_second, make_volume, make_whole_slice
from tests.engine.study_sources import write_real


@pytest.mark.parametrize("formats", [("NIfTI",), ("PNG",)])
def test_exports_are_read_from_volumes_and_pictures(tmp_path, formats):
    volume = make_volume()
    result = make_result(volume)
    export_files(volume, 1, result, tmp_path / "out" / "one", formats)
    sources = read_sources((tmp_path / "out",), ())
    (source,) = sources.synthetic
    assert source.image.sha256() == result.slice.sha256()
    assert (source.box, source.scores) == (result.request.box, result.request.attributes.scores)
    assert source.scene == result.before.sha256()
    assert len(sources.no_nodule) == (formats == ("PNG",))
    assert all(plain.image.sha256() == result.before.sha256() for plain in sources.no_nodule)


def test_slices_made_whole_are_read_too(tmp_path):
    volume, result = make_whole_slice()
    export_all(volume, 0, result, tmp_path / "out")
    journal.record(result, tmp_path / "journal")
    sources = read_sources((tmp_path / "out", tmp_path / "journal"), ())
    assert [source.image.sha256() for source in sources.synthetic] == [result.slice.sha256()] * 2
    assert sources.no_nodule == ()
    build_study(
        StudyPlan("T", ("a",), {"rate_attributes": 1}, 0, (tmp_path / "out",)),
        tmp_path / "study",
        tmp_path / "KEY.json",
    )
    assert open_study(tmp_path / "study").trials[0].kind == "rate_attributes"


@pytest.mark.parametrize("is_exported", [False, True])
def test_a_slice_made_whole_is_none_without_a_nodule_once_a_second_one_is_put_in(tmp_path, is_exported):
    """Also where the slice itself is not among the sources: a reader who finds its nodule is not wrong."""
    volume, _ = make_whole_slice()
    source = SliceSource(volume.source, None, 0, volume.description, volume.slice_at(0).sha256(), is_synthetic=True)
    second = make_second(volume, source)
    if is_exported:
        export_files(volume, 0, second, tmp_path / "out", ("PNG",))
    else:
        journal.record(second, tmp_path / "out")
    sources = read_sources((tmp_path / "out",), ())
    assert [source.is_alone for source in sources.synthetic] == [False]
    assert sources.no_nodule == ()


def test_entries_of_older_versions_tell_a_slice_made_whole_by_its_name(tmp_path):
    volume, _ = make_whole_slice()
    source = SliceSource(volume.source, None, 0, volume.description, volume.slice_at(0).sha256())
    entry = journal.record(make_second(volume, source), tmp_path)
    written = json.loads((entry / journal.JSON_NAME).read_text())
    del written["source"]["is_synthetic"]
    (entry / journal.JSON_NAME).write_text(json.dumps(written))
    assert read_sources((tmp_path,), ()).no_nodule == ()


@pytest.mark.parametrize(("said", "count"), [("YES", 0), ("NO", 1)])
def test_slices_that_say_that_they_are_synthetic_are_none_without_a_nodule(
    tmp_path, write_ct_series, monkeypatch, said, count
):
    monkeypatch.setattr(lungs, "lung_mask", lambda image: np.ones(image.shape, np.bool_))
    write_ct_series(tmp_path / "made", np.full((1, 64, 64), -800, np.int16), SyntheticData=said)
    assert len(read_sources((), (tmp_path / "made",)).no_nodule) == count


def test_a_slice_made_whole_is_not_told_by_its_size(tmp_path, write_ct_series):
    """Among larger slices it has a black margin, and always a nodule."""
    journal.record(make_whole_slice()[1], tmp_path / "journal")
    write_ct_series(tmp_path / "none", np.full((1, 64, 64), -800, np.int16))
    (tmp_path / "none.csv").write_text("path,slice\nnone,0\n")
    plan = StudyPlan("T", ("a",), {"find_nodule": 2}, 0, (tmp_path / "journal",), (tmp_path / "none.csv",))
    with pytest.raises(InputError, match=r"needs 1 synthetic nodules on different slices .* there are 0"):
        build_study(plan, tmp_path / "study", tmp_path / "KEY.json")


def export(result, folder):
    export_all(make_volume(), 1, result, folder)


@pytest.mark.parametrize("record", [journal.record, export])
def test_a_nodule_that_goes_on_counts_once(tmp_path, record):
    """Its other slices show the same nodule at the same place."""
    result = make_result(make_volume())
    request = replace(result.request, extension=Extension(result.nodule_sha256(), 2.5))
    record(replace(result, request=request), tmp_path / "results" / "one")
    sources = read_sources((tmp_path / "results" / "one",), ())
    assert sources.synthetic == ()
    assert sources.no_nodule == ()  # The slice beside it, without the nodule, would look like it.
    # It is known to be in the slice that another nodule was put into.
    later = make_result(make_volume())
    hu = np.where(later.request.box.mask(), 20, result.slice.hu).astype(np.int16)
    request = replace(later.request, slice=result.slice)
    record(replace(later, request=request, slice=result.slice.with_hu(hu)), tmp_path / "results" / "two")
    sources = read_sources((tmp_path / "results" / "one", tmp_path / "results" / "two"), ())
    assert [source.is_alone for source in sources.synthetic] == [False]
    assert result.slice.sha256() not in {source.scene for source in sources.no_nodule}


def test_a_slice_with_a_real_nodule_is_none_without(tmp_path, write_ct_series):
    """Nor are both its nodules asked about."""
    table = write_real(tmp_path, 1, write_ct_series)
    (real,) = read_sources((), (table,)).real
    made = make_result(make_volume())
    box = BoundingBox(40, 40, 12, real.image.shape)
    request = replace(made.request, slice=real.image, box=box)
    mask = np.zeros(real.image.shape, bool)
    after = real.image.with_hu(np.where(box.mask(), 20, real.image.hu).astype(np.int16))
    measurement = replace(made.measurement, mask=mask)
    journal.record(replace(made, request=request, slice=after, measurement=measurement), tmp_path / "journal")
    sources = read_sources((tmp_path / "journal",), (table,))
    assert sources.no_nodule == ()
    assert [source.is_alone for source in sources.synthetic] == [False]
    plan = StudyPlan("T", ("a",), {"real_or_synthetic": 2}, 0, (tmp_path / "journal",), (table,))
    with pytest.raises(InputError, match=r"needs 1 synthetic nodules on different slices .* there are 0"):
        build_study(plan, tmp_path / "study", tmp_path / "KEY.json")


def test_an_export_whose_slice_was_changed_is_refused(tmp_path):
    volume = make_volume()
    export_files(volume, 1, make_result(volume), tmp_path / "out", ("NRRD",))
    record = json.loads((tmp_path / "out" / "request.json").read_text())
    record["output"]["sha256"] = "0" * 64
    (tmp_path / "out" / "request.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"has no slice with the HU that request\.json names"):
        read_sources((tmp_path / "out",), ())


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("path,slice\nseries,x\n", "Line 2 of .* is not understood"),
        ("slice\n0\n", "Line 2 of .* is not understood"),
        ("path,slice,row,column,size\nseries,0,5,5,9\n", "has the column 'size', which is not known; take it out, or"),
        ("path,slice,row,column,side\nseries,0,50,50,20\n", "leaves the slice"),
        ("path,slice,row,column,side\nseries,9,5,5,20\n", "no slice 9"),
        ("path,slice,row,column,side,margin\nseries,0,5,5,9,7\n", "Line 2 of .*: margin is 7"),
    ],
)
def test_tables_that_are_wrong_are_refused(tmp_path, write_ct_series, table, sentence):
    write_real(tmp_path, 2, write_ct_series)
    (tmp_path / "real.csv").write_text(table)
    with pytest.raises(InputError, match=sentence):
        read_sources((), (tmp_path / "real.csv",))


def test_names_of_columns_may_be_written_in_any_way(tmp_path, write_ct_series):
    """And spreadsheets leave some without a name at the end."""
    table = write_real(tmp_path, 2, write_ct_series)
    plain = read_sources((), (table,)).real
    heading, *lines = table.read_text().splitlines()
    table.write_text("\n".join([f" {heading.title().replace(',', ' , ')},,", *lines]))
    found = read_sources((), (table,))
    assert [(one.box, one.scores) for one in found.real] == [(one.box, one.scores) for one in plain]
    assert found.no_nodule == ()


def test_a_nodule_is_named_on_one_slice(tmp_path, write_ct_series):
    """Its neighbours are no cases of their own; a nodule elsewhere, or further away, is one."""
    write_real(tmp_path, 6, write_ct_series, slice_mm=2.5)
    table = tmp_path / "real.csv"
    for row, count in {"series,4,18,20,12": 2, "series,5,18,8,12": 2}.items():
        table.write_text(f"path,slice,row,column,side\nseries,0,18,8,12\n{row}\n")
        assert len(read_sources((), (table,)).real) == count
    table.write_text("path,slice,row,column,side\nseries,0,18,8,12\n./series,4,25,19,9\n")
    with pytest.raises(InputError, match=r"The boxes in line 2 of .* and in line 3 of .* overlap .* within 10 mm"):
        read_sources((), (table,))


def test_slices_beside_a_real_nodule_are_none_without(tmp_path, write_ct_series, monkeypatch):
    """Named in a table, of the same series as a whole, or read before a nodule was made: within 10 mm it may go on."""
    monkeypatch.setattr(lungs, "lung_mask", lambda image: np.ones(image.shape, np.bool_))
    write_real(tmp_path, 9, write_ct_series, slice_mm=2.5)
    table, series = tmp_path / "real.csv", tmp_path / "series"
    table.write_text("path,slice,row,column,side\nseries,2,18,8,12\nseries,6,,,\nseries,7,,,\n")
    assert [source.slice_index for source in read_sources((), (table, series)).no_nodule] == [7, 8]
    result = make_result(make_volume())
    for index, count in {6: 0, 7: 1}.items():
        source = SliceSource(series, None, index)
        entry = journal.record(replace(result, request=replace(result.request, source=source)), tmp_path / str(index))
        found = read_sources((entry,), (table,))
        assert [source.is_alone for source in found.synthetic] == [bool(count)]
        assert len(found.no_nodule) == 1 + count


def test_the_line_of_a_table_is_that_of_the_file(tmp_path, write_ct_series):
    """Blank lines count."""
    write_real(tmp_path, 2, write_ct_series)
    for row, sentence in {"series,9,,,": "There is no slice 9", "nowhere,0,,,": "There is no file or folder"}.items():
        (tmp_path / "real.csv").write_text(f"path,slice,row,column,side\n\nseries,0,,,\n\n{row}\n")
        with pytest.raises(InputError, match=f"^Line 5 of .*real.csv: {sentence}"):
            read_sources((), (tmp_path / "real.csv",))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_may_be_separated_as_a_country_has_it(tmp_path, write_ct_series, separator):
    table = write_real(tmp_path, 2, write_ct_series)
    comma = read_sources((), (table,)).real
    table.write_text(table.read_text().replace(",", separator))
    found = read_sources((), (table,)).real
    assert [(one.box, one.scene, one.scores) for one in found] == [(one.box, one.scene, one.scores) for one in comma]


def test_slices_without_a_nodule_come_from_tables_and_series(tmp_path, write_ct_series, data_folder):
    """A table names one; of half a chest, 2.5 mm a slice, every fourth with enough lung is taken."""
    write_real(tmp_path, 2, write_ct_series)
    (tmp_path / "real.csv").write_text("path,slice,row,column,side\nseries,1,,,\n")
    scan = data_folder / "dicom" / "other-formats" / "half_chest.mha"
    sources = read_sources((), (tmp_path / "real.csv", scan))
    assert sources.real == ()
    assert len({source.scene for source in sources.no_nodule}) == len(sources.no_nodule) >= 5
    indices = [source.slice_index for source in sources.no_nodule[1:]]
    assert all(second - first >= 4 for first, second in itertools.pairwise(indices))


def test_nothing_to_read_is_said_so(tmp_path):
    with pytest.raises(InputError, match="holds no result"):
        read_sources((tmp_path,), ())


def test_a_slice_does_not_keep_its_series_in_memory(tmp_path, write_ct_series):
    sources = read_sources((), (write_real(tmp_path, 2, write_ct_series),))
    assert [source.image.hu.base for source in sources.real] == [None, None]


@pytest.mark.parametrize(("format_name", "file"), [("NRRD", "slice.nrrd"), ("PNG", "after-16bit.png")])
def test_an_export_that_is_damaged_is_told_in_one_sentence(tmp_path, format_name, file):
    volume = make_volume()
    export_files(volume, 1, make_result(volume), tmp_path / "out", (format_name,))
    path = tmp_path / "out" / file
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read; restore"):
        read_sources((tmp_path / "out",), ())
