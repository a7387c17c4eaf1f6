"""The pixels of a DICOM frame, decoded and rescaled to Hounsfield units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import (
    UID,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from engine.ct import HUArray
from engine.dicom_headers import Frame, number_of, value_of
from engine.errors import InputError
from engine.hounsfield import require_hu, to_hu

#: Slopes of CT are about 1, intercepts about -1024.
_MOST_RESCALE = 1e6
_END_OF_JPEG = b"\xff\xd9"
#: What is lossy whatever is in it, and the standard that defines it (PS3.3, C.7.6.1.1.5); JPEG 2000 may be either.
_LOSSY = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
}
_ENDING_IN_A_MARKER = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes)


def frame_hu(frame: Frame, dataset: Dataset) -> HUArray:
    """Return the Hounsfield units of a frame, (rows, columns), int16 or float32, padding values as stored.

    Parameters
    ----------
    frame : Frame
        Its header gives the rescale.
    dataset : Dataset
        The frame's file, with pixel data.

    Raises
    ------
    InputError
        If the pixels are cut short or cannot be decoded, or nothing says that they are Hounsfield units:
        without rescale or without Modality they are taken for HU only if they look like them. If the rescale is given,
        but is no number. If values do not lie in the lowest bits.
    """
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        _require_number(frame, keyword)
    stored = _decoded(frame, dataset)
    slope, intercept = frame.number("RescaleSlope"), frame.number("RescaleIntercept")
    rescaled = intercept is not None and slope != 0
    used = (slope or 1.0, intercept or 0.0) if rescaled else (1.0, 0.0)
    _check_rescale(frame, *used)
    hu = to_hu(stored, *used)
    if not rescaled or not frame.text("Modality"):
        require_hu(hu, frame.file.name)
    return hu


def note_lossy_compression(frame: Frame, dataset: Dataset) -> None:
    """Say in a frame's header that its pixels were compressed with losses, where it is silent and their syntax tells.

    Anonymisers leave it out; decoded, the pixels show it no more.

    Parameters
    ----------
    frame : Frame
        One that `frame_hu` has read.
    dataset : Dataset
        The frame's file, with pixel data.
    """
    method = _LOSSY.get(UID(str(value_of(dataset.file_meta, "TransferSyntaxUID"))))
    if method is None or value_of(frame.header, "LossyImageCompression") is not None:
        return
    size = len(get_frame(dataset.PixelData, frame.index, number_of_frames=_frame_count(dataset)))
    stored = frame.shape[0] * frame.shape[1] * int(dataset.BitsAllocated) // 8
    frame.header.LossyImageCompression = "01"
    frame.header.LossyImageCompressionRatio = f"{stored / size:.4g}"
    frame.header.LossyImageCompressionMethod = method


def _require_number(frame: Frame, keyword: str) -> None:
    # As it stands in the file: reading it as a number is what fails.
    element = frame.header.get_item(keyword) if keyword in frame.header else None
    if element is not None and element.value and frame.number(keyword) is None:
        raise InputError(
            f'"{frame.file.name}" has a {keyword} that is no number, so that its Hounsfield units are not known; get '
            "the file again from where it came."
        )


def _check_rescale(frame: Frame, slope: float, intercept: float) -> None:
    if max(abs(slope), abs(intercept)) > _MOST_RESCALE:
        raise InputError(
            f'"{frame.file.name}" has the rescale slope {slope:g} and intercept {intercept:g}, which make no '
            "Hounsfield units; get the file again from where it came."
        )


def _require_lowest_bits(name: str, dataset: Dataset) -> None:
    """Refuse values that do not end at the lowest bit, as they must (DICOM PS3.5, 8.1.1).

    pydicom takes the lowest BitsStored bits, whatever HighBit is. Where that is another, the values lie higher, or it
    is the header that is wrong: nothing tells which, and a shift for nothing makes wrong HU, too.
    """
    high_bit = number_of(dataset, "HighBit")
    # What anonymisers drop: see `_decode`.
    stored = number_of(dataset, "BitsStored") or number_of(dataset, "BitsAllocated")
    if high_bit is not None and stored is not None and high_bit != stored - 1:
        raise InputError(
            f'"{name}" has values of {stored:g} bits and HighBit {high_bit:g}, where DICOM asks for {stored - 1:g}, so '
            "that its Hounsfield units are not known; get the file again from where it came."
        )


def _decoded(frame: Frame, dataset: Dataset) -> NDArray[Any]:
    """Return stored values of (rows, columns): signed as the header says, unused bits removed."""
    name, syntax = frame.file.name, UID(str(value_of(dataset.file_meta, "TransferSyntaxUID")))
    for keyword in ("PixelData", "BitsAllocated", "PixelRepresentation"):
        if value_of(dataset, keyword) is None:
            raise InputError(
                f'"{name}" is cut short or lacks {keyword}, so its pixels cannot be read; get the original file.'
            )
    _require_lowest_bits(name, dataset)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise InputError(
            f'"{name}" is compressed as {syntax.name}, which cannot be read here; convert it to uncompressed DICOM.'
        ) from error
    try:
        pixels = _decode(dataset, decoder, syntax, frame.index)
    except Exception as error:  # decoders let through whatever damaged data set off
        raise InputError(
            f'The pixels of "{name}" ({syntax.name}) cannot be decoded; the file is damaged or cut short, get it '
            "again from where it came."
        ) from error
    if pixels.shape != frame.shape:
        raise InputError(
            f'"{name}" says {frame.shape} rows and columns and holds {pixels.shape}; the file is damaged, get it '
            "again from where it came."
        )
    return pixels


def _decode(dataset: Dataset, decoder: Decoder, syntax: UID, index: int) -> NDArray[Any]:
    # What anonymisers drop, and one value alone can be meant.
    dataset.setdefault("BitsStored", dataset.BitsAllocated)
    dataset.setdefault("SamplesPerPixel", 1)
    dataset.setdefault("PhotometricInterpretation", "MONOCHROME2")
    if syntax in _ENDING_IN_A_MARKER and not _is_whole_jpeg(dataset, index):
        raise ValueError("the JPEG data have no end")
    pixels, _ = decoder.as_array(dataset, index=index, decoding_plugin=_plugin(syntax))
    return np.asarray(pixels)


def _plugin(syntax: UID) -> str:
    """Return the one decoder to use, so that every machine reads the same, whatever else is installed."""
    if not syntax.is_encapsulated:
        return ""
    if syntax == RLELossless:
        return "pydicom"  # that of pylibjpeg panics on damaged data: no exception that can be caught
    return "pyjpegls" if syntax in JPEGLSTransferSyntaxes else "pylibjpeg"


def _is_whole_jpeg(dataset: Dataset, index: int) -> bool:
    """Has the frame the marker at the end, which cannot stand within it?

    Of data that are cut short, pylibjpeg makes up the rest and says nothing, and pyjpegls thinks for a minute.
    """
    data = get_frame(dataset.PixelData, index, number_of_frames=_frame_count(dataset))
    return _END_OF_JPEG in data.rstrip(b"\0")[-16:]


def _frame_count(dataset: Dataset) -> int:
    return int(number_of(dataset, "NumberOfFrames") or 1)
