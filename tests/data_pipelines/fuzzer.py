# SPDX-License-Identifier: Apache-2.0
"""Seeded malformed inputs of five kinds, and what the readers make of each.

Every input ends as "accepted" or as the reason that a reader gives; anything else is a fault.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
from etils import epath

from medst_jax.data_pipelines import dicom as dicom_reader
from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.chexpert.source import read_table
from medst_jax.data_pipelines.encode import Encoding, encode_image
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError
from medst_jax.data_pipelines.listing.sentences import sentences_of
from medst_jax.data_pipelines.listing.source import decode_report
from medst_jax.data_pipelines.mimic_cxr import tables as mimic
from medst_jax.data_pipelines.nih_chestxray14 import tables as nih
from medst_jax.data_pipelines.raw import RawImage
from medst_jax.data_pipelines.siim_pneumothorax import run_lengths
from medst_jax.data_pipelines.siim_pneumothorax.source import parse_row
from medst_jax.data_pipelines.source_image import UnreadableImage
from medst_jax.data_pipelines.vindr.readings import read_one_hot
from medst_jax.text import edema_severity, label_findings, label_union, split_sections
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.union import UNION
from tests.data_pipelines.official import RAMP, dicom, png
from tests.data_pipelines.tables import jpeg, picture

SECRET = "Zebulon-Quill"
ACCEPTED = "accepted"
_HOSTILE = (
    *(b'"', b",", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"nan", b"inf", b"1e999"),
    *(b"-1", b"99999999999999999999", b"../", b"[", b"'", b"|", b";", b"\t", b"\xc2\xa0", b"%s"),
    *("\u202e".encode(), b"=1+1", b"A" * 5000, b'""', b"\x1a", b":", b".", b"1. ", b"___"),
)


def mutate(rng: np.random.Generator, data: bytes, edits: int | None = None) -> bytes:
    """The data after some deletions, insertions, changed bytes, repeats and cuts."""
    for _ in range(edits or int(rng.integers(1, 6))):
        at = int(rng.integers(0, len(data) + 1))
        end = min(len(data), at + int(rng.integers(1, 40)))
        kind = int(rng.integers(0, 6))
        if kind == 0:
            data = data[:at] + data[end:]
        elif kind == 1:
            data = data[:at] + _HOSTILE[int(rng.integers(0, len(_HOSTILE)))] + data[at:]
        elif kind == 2:
            data = data[:at] + rng.bytes(end - at) + data[end:]
        elif kind == 3:
            data = data[:end] + data[at:end] * int(rng.integers(1, 50)) + data[end:]
        elif kind == 4 and len(data) > 1:
            flip = bytearray(data)
            flip[at % len(data)] ^= 1 << int(rng.integers(0, 8))
            data = bytes(flip)
        elif kind == 5 and rng.random() < 0.3:
            data = data[:at]
    return data


_CHEXPERT = b"Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(FINDINGS).encode()
_CHEXPERT_ROW = (
    b"v/train/patient00001/study1/view%d_frontal.jpg,Female,68,Frontal,AP" + b",1.0" * 14
)
_MIMIC_ROW = b"%08x-bde0afdd-112c0b34-7bc16630-4e384014,10000032,50414267,PA,21800506,83429.5"
_TABLES: tuple[tuple[bytes, bytes, Callable[[epath.Path], object]], ...] = (
    (_CHEXPERT, _CHEXPERT_ROW, lambda path: read_table(path, "train", "")),
    (
        b"dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime",
        _MIMIC_ROW,
        lambda path: mimic.read_films(path.parent, path.name),
    ),
    (
        b"ImageId, EncodedPixels",
        b"1.2.276.%d, 10 3 5 2",
        lambda path: CsvTable(path).parse(parse_row),
    ),
    (b"image_id,rad_id,Atelectasis,Mass", b"a%d,R1,1,0", read_one_hot),
)
_NIH = (
    b"Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    b"OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
_NIH_ROW = b"0000000%d_000.png,Edema|Mass,0,1,58,M,PA,2682,2749,0.143,0.143"


def csv_rows(rng: np.random.Generator, folder: Path) -> str:
    """A damaged row between two sound ones; the sound ones must come through."""
    if rng.random() < 0.2:
        header, row = _NIH, _NIH_ROW
        path = epath.Path(folder / "Data_Entry_2017.csv")
        read: Callable[[epath.Path], object] = lambda p: nih.read_images(p.parent)
    else:
        header, row, read = _TABLES[int(rng.integers(0, len(_TABLES)))]
        path = epath.Path(folder / "table.csv")
    damaged = mutate(rng, row % 5 + SECRET.encode() * int(rng.integers(0, 2)))
    path.write_bytes(b"\n".join([header, row % 1, damaged, row % 9]))
    try:
        found, rejects, *_ = read(path)  # type: ignore[misc]
    except TableError as error:
        return f"table: {str(error)[:0]}unusable"
    text = repr(found)
    for sound in (1, 9):
        name = (row % sound).split(b",")[0].split(b"/")[-1].decode()
        assert name in text, "a sound row was lost"
    path.unlink()
    return rejects[0].reason if rejects else ACCEPTED


_REPORT = (
    b" FINAL REPORT\n EXAMINATION: CHEST\n INDICATION: ___F with cough.\n FINDINGS: Heart 2.5 cm. "
    b"1. No effusion, edema, or pneumothorax. Dr. ___ at 3:45 p.m.\n IMPRESSION: Possible nodule."
)


def section_texts(rng: np.random.Generator, folder: Path) -> str:
    """A damaged report through sections, sentences, labels and severity."""
    del folder
    data = mutate(rng, _REPORT * int(rng.integers(1, 4)), int(rng.integers(1, 20)))
    try:
        text = decode_report(data)
    except CellError as error:
        return str(error)
    for title, body in split_sections(text):
        last = 0
        for (start, end), labels in sentences_of(title, body, "en", FINDINGS):
            assert last <= start < end <= len(body)
            assert set(labels.values()) <= {-1, 0, 1}
            last = end
    assert set(label_findings(text).values()) <= {-1, 0, 1}
    assert set(label_union(text)) <= set(UNION)
    assert edema_severity(text) in (-1, 0, 1, 2, 3)
    return ACCEPTED


_DICOM = dicom(RAMP, PatientID=SECRET, WindowCenter=2000, WindowWidth=1000, PixelPaddingValue=0)
_ATTRIBUTES: dict[str, tuple[object, ...]] = {
    "Rows": (0, 1, 65535),
    "Columns": (0, 7, 65535),
    "BitsAllocated": (0, 1, 8, 12, 32, 64, 65535),
    "BitsStored": (0, 1, 8, 40, 65535),
    "SamplesPerPixel": (0, 2, 3, 65535),
    "PixelRepresentation": (1, 2, 65535),
    "PhotometricInterpretation": ("", "MONOCHROME1", "RGB", "YBR_FULL_422", "PALETTE COLOR", "x"),
    "NumberOfFrames": ("0", "-1", "2", "1000000000"),
    "RescaleSlope": ("0", "-1", "1e308", "1e-308"),
    "RescaleIntercept": ("-1e308", "1e308", "-1024"),
    "WindowWidth": ("0", "-5", "1e-9"),
    "WindowCenter": ("1e308", "0"),
    "PixelSpacing": (["0", "0"], ["1e308", "1"], ["1"]),
    "PatientAge": ("999Y", "AAAA", "-1"),
    "StudyDate": ("20209999", "x"),
    "PixelPaddingValue": (65535, 100),
}


def dicom_headers(rng: np.random.Generator, folder: Path) -> str:
    """A DICOM file with damaged bytes or impossible attributes."""
    del folder
    if rng.random() < 0.5:
        head = len(_DICOM) - RAMP.nbytes
        data = _DICOM[:132] + mutate(rng, _DICOM[132:head]) + _DICOM[head:]
    else:
        names = rng.choice(list(_ATTRIBUTES), int(rng.integers(1, 4)), replace=False)
        tags = {
            name: _ATTRIBUTES[name][int(rng.integers(len(_ATTRIBUTES[name])))] for name in names
        }
        try:
            data = dicom(RAMP, PatientID=SECRET, **tags)
        except (
            ValueError,
            TypeError,
            OverflowError,
            OSError,
            struct.error,
        ):  # the writer refuses it
            data = mutate(rng, _DICOM)
    try:
        dicom_reader.read_header(data)
        intensity = str(rng.choice(["mimic_jpg", "voi_lut", "minmax"]))
        return _encode(data, intensity)
    except UnreadableImage as error:
        return str(error)


def run_length_strings(rng: np.random.Generator, folder: Path) -> str:
    """A damaged mask, which must stay inside the image when it is accepted."""
    del folder
    code = mutate(rng, b"12 3 40 5 1000 7 1 1").decode("latin-1")
    try:
        mask = run_lengths.decode(code, 64, 48)
    except CellError as error:
        return str(error)
    assert mask.shape == (64, 48)
    return ACCEPTED


_FILES = (
    jpeg(picture(0, 64, 48)),
    simplejpeg.encode_jpeg(np.stack([picture(k, 40, 40) for k in range(3)], -1), quality=80),
    png(picture()),
    png(RAMP),
)


def image_bytes(rng: np.random.Generator, folder: Path) -> str:
    """A damaged JPEG or PNG file."""
    del folder
    data = mutate(rng, _FILES[int(rng.integers(0, len(_FILES)))])
    try:
        return _encode(data, str(rng.choice(["mimic_jpg", "none", "voi_lut"])))
    except UnreadableImage as error:
        return str(error)


def _encode(data: bytes, intensity: str) -> str:
    source = image_files.decode(data, voi_lut=intensity == "voi_lut")
    image = RawImage("i", "PA", source.pixels)
    stored = encode_image(image, "", Encoding(32, intensity))
    assert max(simplejpeg.decode_jpeg_header(stored["data"])[:2]) <= 32  # type: ignore[arg-type]
    return ACCEPTED


KINDS: dict[str, Callable[[np.random.Generator, Path], str]] = {
    "csv rows": csv_rows,
    "section texts": section_texts,
    "DICOM headers": dicom_headers,
    "run lengths": run_length_strings,
    "image bytes": image_bytes,
}
