# SPDX-License-Identifier: Apache-2.0
"""Writes small trees in the official layouts of data sets, and builds them."""

import gzip
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from medst_jax.data.records.studies import Studies, open_studies
from medst_jax.data_pipelines.build import BuildOptions, BuildResult, build
from medst_jax.data_pipelines.encode import Encoding
from medst_jax.data_pipelines.registry import Request, make_sources
from medst_jax.data_pipelines.run_banks import Runner
from tests.data_pipelines.tables import jpeg, picture

RAMP = np.linspace(100, 4000, 24 * 16).reshape(24, 16).astype(np.uint16)


def dicom(pixels: np.ndarray, photometric: str = "MONOCHROME2", **tags: object) -> bytes:
    """An uncompressed DICOM file of uint8 or uint16 pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.PixelRepresentation = 0
    data.PhotometricInterpretation = photometric
    bits = 8 if pixels.dtype == np.uint8 else 12
    data.BitsAllocated, data.BitsStored, data.HighBit = 8 if bits == 8 else 16, bits, bits - 1
    data.PixelSpacing = [0.2, 0.3]
    for tag, value in tags.items():
        setattr(data, tag, value)
    data.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    """PNG bytes of uint8 or uint16 pixels, grey or colour."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, files: dict[str, bytes | str]) -> Path:
    """Writes files below a folder; text of a name in `.gz` is compressed."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


def jpegs(*paths: str) -> dict[str, bytes | str]:
    """A different grey JPEG for every path."""
    return {path: jpeg(picture(k)) for k, path in enumerate(paths)}


def dicoms(*paths: str, **tags: object) -> dict[str, bytes | str]:
    """A different 12-bit DICOM file for every path."""
    return {path: dicom(RAMP // (k + 1), **tags) for k, path in enumerate(paths)}


def prepare(
    dataset: str, folder: Path, data_dir: Path, limit: float = 0.0, **asked: Any
) -> BuildResult:
    """Builds the data set as `prepare.py --dataset=NAME` does, from the tree in `folder`."""
    (source,) = make_sources(dataset, Request(source_dir=str(folder), **asked))
    encoding = Encoding(int(source.card.get("stored_size", 0)), source.card["intensity"])
    options = BuildOptions(encoding, Runner(workers=1), max_reject_fraction=limit)
    return build(source, data_dir, options)


def studies_of(data_dir: Path, dataset: str, split: str = "train") -> Studies:
    """The stored studies of a split, with truth."""
    return open_studies(data_dir, dataset, split, truth=True)


def rejects(result: BuildResult) -> dict[str, int]:
    """Rejects by reason."""
    return dict(Counter(result.info["rejects"]))


def codes(studies: Studies, k: int) -> dict[str, int]:
    """Label codes of study k by name."""
    return dict(zip(studies.labels, studies[k].labels.tolist(), strict=True))
