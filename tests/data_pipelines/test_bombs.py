# SPDX-License-Identifier: Apache-2.0
"""Files that unpack to more than a picture or a table has are refused before they are unpacked."""

import gzip
import io
import os
import resource
import struct
import tarfile
import time
import zlib

import numpy as np
import pydicom
import pytest
import simplejpeg
from etils import epath
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from medst_jax.data.images import limits, pixels
from medst_jax.data_pipelines import bounded_reading, image_files
from medst_jax.data_pipelines.bounded_reading import TooLong
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError, read_lines
from medst_jax.data_pipelines.open_i.reports import ARCHIVE, read_reports
from medst_jax.data_pipelines.texts.pubmed import abstracts
from medst_jax.data_pipelines.texts.stream import open_bytes
from tests.data_pipelines.official import RAMP, dicom, png
from tests.data_pipelines.tables import jpeg, picture

_ZEROS = bytes(1 << 20)


def refused(data: bytes, reason: str, seconds: float = 5) -> None:
    """The file is refused for the reason by the readers of sources, fast and in little memory."""
    before, start = _peak(), time.process_time()
    with pytest.raises(image_files.UnreadableImage, match=reason):
        image_files.decode(data, voi_lut=True)
    assert time.process_time() - start < seconds
    assert _peak() - before < 300


def _peak() -> float:
    """The most memory that the process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _with_frame(frame: bytes, syntax: str, **tags: object) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(dicom(picture(), **tags)))
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _deflated(extra: int) -> bytes:
    """A deflated file with a private tag of `extra` MiB."""
    dataset = pydicom.dcmread(io.BytesIO(dicom(RAMP)))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    whole = buffer.getvalue()
    length = struct.unpack_from("<I", whole, 140)[0]
    head, body = whole[: 144 + length], whole[144 + length :]
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [pack.compress(zlib.decompress(body, -15))]
    pieces.append(pack.compress(struct.pack("<HH2sHI", 0x7FE1, 0x1010, b"OB", 0, extra << 20)))
    pieces += [pack.compress(_ZEROS) for _ in range(extra)]
    return head + b"".join(pieces) + pack.flush()


def test_deflated_dicom_is_counted_before_it_is_kept():
    np.testing.assert_array_equal(image_files.decode(_deflated(0)).pixels, RAMP)
    bomb = _deflated(512)
    assert len(bomb) < 1 << 20
    refused(bomb, "deflated DICOM has more than")
    for read in (image_files.read_size, image_files.dicom.read_header):
        with pytest.raises(image_files.UnreadableImage, match="deflated DICOM"):
            read(bomb)


def _progressive(scans: int, side: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(5, 64, 64)).save(buffer, "JPEG", progressive=True)
    data = bytearray(buffer.getvalue())
    frame = data.find(b"\xff\xc2")
    data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    scan = bytes(data[data.rfind(b"\xff\xda") : -2])
    return bytes(data[:-2]) + scan * scans + b"\xff\xd9"


def test_jpeg_of_too_many_scans():
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, "JPEG", progressive=True)
    assert image_files.decode(buffer.getvalue()).pixels.shape == picture().shape
    bomb = _progressive(1000, 6000)
    refused(bomb, "JPEG of more than 100 scans")
    refused(_with_frame(bomb, JPEGBaseline8Bit), "JPEG of more than 100 scans")
    with pytest.raises(ValueError, match="more than 100 scans"):
        pixels.decode(bomb)
    assert not pixels.is_jpeg_of(_progressive(1000, 64), 64)


def _claiming(data: bytes, side: int) -> bytes:
    """PNG bytes whose header says another size, with its checksum."""
    head = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


def test_pixels_are_counted_before_they_are_decoded():
    wide = bytearray(jpeg(picture()))
    frame = wide.find(b"\xff\xc0")
    wide[frame + 5 : frame + 9] = struct.pack(">HH", 11000, 11000)
    for bomb in (bytes(wide), _claiming(png(picture()), 11000), _claiming(png(RAMP), 60000)):
        refused(bomb, "more than 36 megapixels", 1)
        with pytest.raises(ValueError, match="more than 36 megapixels"):
            pixels.decode(bomb)
        with pytest.raises(image_files.UnreadableImage, match="more than 36 megapixels"):
            image_files.read_size(bomb)
    limits.check_pixels(6000, 6000)


def test_a_frame_has_the_size_that_its_file_says():
    grey = np.zeros((512, 512, 1), np.uint8)
    large = simplejpeg.encode_jpeg(grey, colorspace="GRAY")
    refused(_with_frame(large, JPEGBaseline8Bit), "another size")
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    wavelet = bytearray(buffer.getvalue())
    np.testing.assert_array_equal(
        image_files.decode(_with_frame(bytes(wavelet), JPEG2000Lossless)).pixels, picture()
    )
    tiny_tiles = bytearray(wavelet)
    wavelet[8:16] = struct.pack(">II", 40000, 40000)
    refused(_with_frame(bytes(wavelet), JPEG2000Lossless), "more than 36 megapixels")
    tiny_tiles[8:16] = struct.pack(">II", 5000, 5000)
    tiny_tiles[24:32] = struct.pack(">II", 1, 1)
    refused(_with_frame(bytes(tiny_tiles), JPEG2000Lossless), "too many channels or tiles")
    refused(_with_frame(png(picture()), JPEG2000Lossless), "unreadable DICOM frame")


def test_run_lengths_of_more_pixels_than_the_file_says():
    def frame(*runs: bytes) -> bytes:
        body = b"".join(runs)
        return struct.pack("<16I", 1, 64, *([0] * 14)) + body + b"\x80" * (len(body) % 2)

    lines = [bytes([picture().shape[1] - 1]) + line.tobytes() for line in picture()]
    sound = image_files.decode(_with_frame(frame(*lines), RLELossless))
    np.testing.assert_array_equal(sound.pixels, picture())
    refused(_with_frame(frame(b"\x81\x07" * 200_000), RLELossless), "run lengths")
    longer = {"Rows": 3000, "Columns": 3000}
    refused(_with_frame(frame(b"\x81\x07" * 2_000_000), RLELossless, **longer), "run lengths")


def test_files_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(image_files.UnreadableImage, match="cannot be read"):
        image_files.read_bytes(str(tmp_path), "pipe.png")
    with (tmp_path / "sparse.dcm").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(image_files.UnreadableImage, match="file has more than 256 MiB"):
        image_files.read_bytes(str(tmp_path), "sparse.dcm")


def _packed(mebibytes: int, head: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as file:
        file.write(head)
        for _ in range(mebibytes):
            file.write(_ZEROS)
    return buffer.getvalue()


def test_packed_tables_and_texts(tmp_path):
    table = tmp_path / "metadata.csv.gz"
    table.write_bytes(_packed(256, b"image_path,report\n"))
    before = _peak()
    with pytest.raises(TableError, match="more than a table has"):
        CsvTable(epath.Path(table)).need("image_path")
    with pytest.raises(TooLong):
        bounded_reading.unpack(_packed(0, b"a" * 100), limit=99)
    assert bounded_reading.unpack(_packed(0, b"a" * 100), limit=100) == b"a" * 100
    (tmp_path / "pubmed.xml.gz").write_bytes(_packed(256, b"<PubmedArticleSet>"))
    with open_bytes(epath.Path(tmp_path / "pubmed.xml.gz")) as stream, pytest.raises(TooLong):
        while stream.read(1 << 20):
            pass
    with open_bytes(epath.Path(tmp_path / "pubmed.xml.gz")) as stream:
        assert [found.reason for found in abstracts(stream)] == [
            "file is damaged, the rest of it is not read"
        ]
    assert _peak() - before < 300


def test_archive_of_reports(tmp_path):
    path = tmp_path / ARCHIVE
    with tarfile.open(path, "w:gz") as archive:
        for number, size in ((1, 10), (2, 200 << 20)):
            member = tarfile.TarInfo(f"ecgen-radiology/{number}.xml")
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    with pytest.raises(TableError, match="not a whole archive"):
        read_reports(tmp_path)


def test_tables_that_are_no_tables(tmp_path):
    path = epath.Path(tmp_path / "table.csv")
    path.write_text(",".join(f"c{k}" for k in range(200_000)) + "\n")
    start = time.process_time()
    with pytest.raises(TableError, match="has 200000 columns"):
        CsvTable(path).need("image_path")
    # Quotes that never close: each costs a look at the lines after it, once.
    path.write_text("a,b\n" + ('x,"y\n' + '"p","q"\n' * 999) * 60)
    assert len(list(CsvTable(path).rows())) > 1000
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", ["utf-16", "utf-8-sig", "cp1252"])
def test_lists_of_other_encodings(tmp_path, name):
    path = epath.Path(tmp_path / "labels.txt")
    path.write_bytes("Panzersé\r\nEdema\r\n".encode(name))
    assert read_lines(path, western=True) == ["Panzersé", "Edema"]


def test_lists_that_are_not_text(tmp_path):
    path = epath.Path(tmp_path / "labels.txt")
    for data in (b"Edema\n\xff\xfe\xfa\x81\n", b"Edema\nMa\0ss\n"):
        path.write_bytes(data)
        with pytest.raises(TableError, match="line 2 is not UTF-8"):
            read_lines(path, western=True)
