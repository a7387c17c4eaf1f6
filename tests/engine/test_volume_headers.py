"""Headers of volumes that ITK must not see, or believes without a word.

Of MetaImage headers, only the check itself is tried: some of them crash the process where MetaIO reads them.
"""

import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from engine.ct_files import read_volume
from engine.errors import InputError
from engine.volume_headers import read_header
from tests.engine.test_volume_files import META, NRRD, patch, write

SPACED = META + "ElementSpacing = 0.7 0.6 2\n"


def refusal(file, read=read_header):
    with pytest.raises(InputError) as refused:
        read(file)
    return str(refused.value)


def meta(file, header, content=b""):
    file.write_bytes(header.encode() + content)
    return file


@pytest.mark.parametrize(
    "header",
    [
        *[
            SPACED + f"ElementDataFile = {name}\n"
            for name in ("%s%s%n 1 4 1", "%s 0 3 1", "%d%d.raw 0 3 1", "%*d.raw 0 3 1")
        ],
        *[SPACED.replace("NDims = 3", f"NDims = {axes}") for axes in ("-3", "0", "1", "11", "100", "=3", "x")],
        SPACED.replace("NDims = 3", "NDims = 2"),
        SPACED.replace("NDims = 3", "NDims = 3\n NDims : 100"),
        SPACED.replace("NDims = 3\n", "NDims\n3\n"),
        SPACED.replace("32 24 4", "32 24"),
        SPACED + "ElementNumberOfChannels = -1\n",
        SPACED.replace("MET_SHORT", "MET_FLOAT_ARRAY"),
        SPACED + "CompressedData = True\nCompressedDataSize = -5\n",
        SPACED + "CompressedData = True\n",
    ],
)
def test_a_metaimage_header_that_crashes_metaio(chest, tmp_path, header):
    header = header if "ElementDataFile" in header else header + "ElementDataFile = LOCAL\n"
    assert "damaged, cut short" in refusal(meta(tmp_path / "bad.mha", header, chest.tobytes()))


def packed_meta(file, packed):
    size = f"CompressedDataSize = {len(packed)}\n"
    return meta(file, f"{SPACED}CompressedData = True\n{size}ElementDataFile = LOCAL\n", packed)


def test_compressed_data_that_are_damaged(chest, tmp_path):
    packed, file = zlib.compress(chest.tobytes()), tmp_path / "chest.mha"
    np.testing.assert_array_equal(read_volume(packed_meta(file, packed)).hu, chest)
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 1
    more = zlib.compress(chest.tobytes() + b"\0" * 10)
    for damaged in (packed[:-200], bytes(flipped), packed[:-1], packed[:100] + b"\0" * 900, more):
        assert "damaged, cut short" in refusal(packed_meta(file, damaged))


def test_a_whole_volume_that_itk_compressed(chest, tmp_path):
    for name in ("chest.mha", "chest.mhd"):
        sitk.WriteImage(sitk.GetImageFromArray(chest), str(tmp_path / name), useCompression=True)
        read_header(tmp_path / name)
    packed = tmp_path / "chest.zraw"
    packed.write_bytes(packed.read_bytes()[:-50])
    assert "damaged, cut short" in refusal(tmp_path / "chest.mhd")


def local(fields):
    return META + fields + "ElementDataFile = LOCAL\n"


SPACE = "space: left-posterior-superior\nspace directions: (0.7,0,0) (0,0.6,0) (0,0,2)\nspace origin: (0,0,1e9)\n\n"


@pytest.mark.parametrize(
    ("suffix", "header"),
    [
        *[("nrrd", NRRD + f"spacings: {spacing}\n\n") for spacing in ("-1 -1 1", "1 1 -1", "1e-9 1 1", "1 1 1e9")],
        ("nrrd", NRRD + SPACE),
        *[
            ("mha", local(f"ElementSpacing = {spacing}\n"))
            for spacing in ("-1 -1 1", "nan 1 1", "1e400 1 1", "1e-320 1 1")
        ],
        *[
            ("mha", local(f"ElementSpacing = 1 1 1\nOffset = {offset}\n"))
            for offset in ("nan 0 0", "inf 0 0", "0 0 1e9")
        ],
        ("mha", local("ElementSpacing = 1 1 1\nTransformMatrix = nan 0 0 0 1 0 0 0 1\n")),
    ],
)
def test_a_geometry_that_is_none(chest, tmp_path, suffix, header):
    file = meta(tmp_path / f"odd.{suffix}", header, chest.tobytes())
    assert '"odd.' in refusal(file, read_volume)
    assert "a spacing or place that no CT has" in refusal(file, read_volume)


@pytest.mark.parametrize(
    ("offset", "layout", "values"),
    [
        *[(80, "f", (value,)) for value in (-0.7, np.nan, np.inf, 1e9)],
        *[(292, "f", (value,)) for value in (np.nan, np.inf)],
        (256, "f", (np.nan,)),
    ],
)
def test_a_geometry_of_nifti_that_is_none(chest, tmp_path, offset, layout, values, capfd):
    file = patch(write(tmp_path / "odd.nii", chest), 252, "hh", 1, 1)
    assert "a spacing or place that no CT has" in refusal(patch(file, offset, layout, *values), read_volume)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["/etc/passwd", "../{file}", "a/../../{file}", "LIST\n/etc/passwd", "../%d.raw 0 3 1"])
def test_data_outside_of_the_folder(chest, tmp_path, name):
    (tmp_path / "chest.raw").write_bytes(chest.tobytes())
    (tmp_path / "in").mkdir()
    name = name.format(file="chest.raw")
    assert "outside of its folder" in refusal(
        meta(tmp_path / "in" / "chest.mhd", f"{SPACED}ElementDataFile = {name}\n")
    )
    for key in ("data file", "datafile"):
        header = f"{NRRD}spacings: 1 1 1\n{key}: {name}\n"
        assert "outside of its folder" in refusal(meta(tmp_path / "in" / "chest.nhdr", header))


@pytest.mark.parametrize("below", ["", "raw/", "{folder}/"])
def test_data_beside_the_header(chest, tmp_path, below):
    name = below.format(folder=tmp_path) + "chest.raw"
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(chest.tobytes())
    read_header(meta(tmp_path / "chest.mhd", f"{SPACED}ElementDataFile = {name}\n"))
    read_header(meta(tmp_path / "chest.nhdr", f"{NRRD}spacings: 1 1 1\ndata file: {name}\n"))
