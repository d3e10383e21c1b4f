# SPDX-License-Identifier: Apache-2.0
"""Every reader of this project with sound samples, written into a folder."""

import gzip
import io
import json
import pathlib
import zlib
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pydicom
import safetensors.numpy
from etils import epath
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from experiments.mutated_inputs.drive import Reader
from medst_jax.data.images import pixels
from medst_jax.data.mixture.exclusion import read_exclusion
from medst_jax.data.records.keys import read_secret
from medst_jax.data.records.studies import open_studies
from medst_jax.data.tokenize.tokenizer_definition import clip_vocabulary
from medst_jax.data.tokenize.tokenizer_files import find_tokenizer
from medst_jax.data_pipelines import dicom as dicom_reader
from medst_jax.data_pipelines import image_files, intensity
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.chest_imagenome.graph import read_graph
from medst_jax.data_pipelines.fixture import write_fixture
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import read_lines
from medst_jax.data_pipelines.listing.json_file import json_rows, read_json
from medst_jax.data_pipelines.open_i.reports import parse_report
from medst_jax.data_pipelines.radgraph.reader import read_radgraph
from medst_jax.data_pipelines.source_image import UnreadableImage
from medst_jax.data_pipelines.texts.inference import parse_line
from medst_jax.data_pipelines.texts.notes import read_notes
from medst_jax.data_pipelines.texts.pubmed import abstracts
from medst_jax.data_pipelines.texts.stream import open_bytes
from medst_jax.evaluate.statistics.predictions import (
    Predictions,
    read_predictions,
    write_predictions,
)
from medst_jax.evaluate.statistics.rows import Row, read_rows, write_rows
from medst_jax.evaluate.subjects.feature_table import read_features
from medst_jax.models.weights import weights_file
from medst_jax.train.scalars import read_log
from tests.data_pipelines import fuzzer
from tests.data_pipelines.official import RAMP, dicom, png
from tests.data_pipelines.tables import jpeg, picture

_XML = (
    b"<eCitation><MedlineCitation><Article><Abstract><AbstractText Label='FINDINGS'>No edema."
    b"</AbstractText></Abstract></Article></MedlineCitation><MeSH><major>normal</major></MeSH>"
    b"<parentImage id='CXR1_1'><caption>PA</caption></parentImage></eCitation>"
)
_RADGRAPH = {
    "p10/p10000032/s50414267.txt": {
        "text": "No edema .",
        "entities": {
            "1": {"tokens": "edema", "label": "OBS-DA", "start_ix": 1, "end_ix": 1, "relations": []}
        },
    }
}
_GRAPH = {
    "image_id": "a",
    "objects": [
        {
            "object_id": "o",
            "bbox_name": "left lung",
            "original_x1": 1,
            "original_y1": 1,
            "original_x2": 9,
            "original_y2": 9,
        }
    ],
    "attributes": [
        {
            "object_id": "o",
            "phrases": ["Left lung clear."],
            "attributes": [["anatomicalfinding|no|edema"]],
        }
    ],
}


def readers(folder: pathlib.Path) -> list[Reader]:
    """All of them; `folder` is theirs."""
    return [*_images(), *_texts(folder), *_tables(folder), *_records(folder), *_models(folder)]


def _images() -> list[Reader]:
    def image(data: bytes) -> None:
        source = image_files.decode(data, voi_lut=len(data) % 2 > 0)
        intensity.convert(source.pixels, "voi_lut", "jpeg", windowed=source.windowed)

    grey = picture(0, 64, 48)
    colour = np.stack([picture(k, 40, 40) for k in range(3)], -1)
    plain = [
        jpeg(grey),
        _saved(grey, "JPEG", progressive=True),
        _saved(colour, "JPEG"),
        png(grey),
        png(RAMP),
        png(colour),
    ]
    tags = {"WindowCenter": 2000, "WindowWidth": 1000, "PixelPaddingValue": 0, "RescaleSlope": 2}
    films = [
        dicom(RAMP, "MONOCHROME1", **tags),
        _transferred(dicom(RAMP), DeflatedExplicitVRLittleEndian),
        _transferred(dicom(grey), JPEGBaseline8Bit, jpeg(grey)),
        _transferred(dicom(grey), JPEG2000Lossless, _saved(grey, "JPEG2000", no_jp2=True)),
    ]
    refusals = (UnreadableImage, intensity.IntensityError)
    return [
        Reader("JPEG and PNG files", plain, image, refusals),
        Reader("DICOM files", films, image, refusals),
        Reader("DICOM headers", films, dicom_reader.read_header, refusals),
        Reader("sizes of images", [*plain, *films], image_files.read_size, refusals),
        Reader("stored images", plain, pixels.decode, (ValueError,)),
    ]


def _texts(folder: pathlib.Path) -> list[Reader]:
    def report(data: bytes) -> None:
        parse_report(1, data)

    notes = b'subject_id,text\n10000032,"FINDINGS: No edema.\nIMPRESSION: Normal."\n7,Clear.\n'
    columns = ("subject_id", "text", "")
    xml = b"<PubmedArticleSet>" + _XML + b"</PubmedArticleSet>"
    return [
        Reader("reports in XML", [_XML], report, (ElementTree.ParseError, ValueError)),
        Reader("abstracts", [xml], lambda data: list(abstracts(io.BytesIO(data)))),
        Reader(
            "packed abstracts",
            [gzip.compress(xml)],
            _file(folder / "a.xml.gz", lambda p: list(_abstracts(p))),
        ),
        Reader(
            "notes",
            [notes],
            _file(folder / "radiology.csv", lambda p: list(read_notes(p, columns))),
        ),
        Reader(
            "pairs of sentences",
            [b'{"sentence1": "a", "sentence2": "b", "gold_label": "neutral"}'],
            lambda data: parse_line(data, "x"),
        ),
        Reader(
            "lists",
            [b"Edema\nMass\n# none\n", "Odème\n".encode("utf-16")],
            _file(folder / "labels.txt", read_lines),
        ),
        *(Reader(name, [b"0"], _seeded(kind, folder)) for name, kind in fuzzer.KINDS.items()),
    ]


def _abstracts(path: epath.Path):
    with open_bytes(path) as stream:
        yield from abstracts(stream)


def _tables(folder: pathlib.Path) -> list[Reader]:
    source = folder / "table"
    source.mkdir()
    for k in range(3):
        (source / f"{k}.png").write_bytes(png(picture(k)))
    table = (
        b"image_path,patient_id,study_date,age,sex,view,labels,report,split\n"
        b"0.png,p0,2020-01-02,58,F,PA,Edema|-Mass,No mass.,train\n"
        b'1.png,p1,2020-02-02,60Y,M,AP,?Edema,"Heart large, edema.",val\n'
        b"2.png,p2,2021-01-02,,,LATERAL,,,test\n"
    )

    def listing(path: epath.Path) -> None:
        made = ImageTable(str(path.parent), name="mine")
        for unit in made.units():
            list(made.studies(unit))

    return [
        Reader(
            "tables of images",
            [table, table.decode().encode("utf-16"), table.replace(b",", b";")],
            _file(source / "metadata.csv", listing),
        ),
        Reader(
            "packed tables", [gzip.compress(b"a,b\n1,2\n")], _file(folder / "t.csv.gz", read_lines)
        ),
        Reader(
            "JSON objects",
            [json.dumps(_RADGRAPH).encode()],
            _file(folder / "o.json", lambda p: read_json(p, dict)),
        ),
        Reader(
            "JSON lines",
            [b'{"a": 1, "b": null}\n{"a": [1]}\n'],
            _file(folder / "l.jsonl", lambda p: list(json_rows(p))),
        ),
        Reader(
            "entities",
            [json.dumps(_RADGRAPH).encode()],
            _file(folder / "r.json", lambda p: list(read_radgraph(p))),
        ),
        Reader("scene graphs", [json.dumps(_GRAPH).encode()], read_graph, (CellError,)),
    ]


def _records(folder: pathlib.Path) -> list[Reader]:
    data = folder / "data"
    write_fixture(data, "mine", patients=4, seed=0)
    directory = next((data / "mine" / "studies").iterdir())

    def read(path: epath.Path) -> None:
        del path
        studies = open_studies(data, "mine", "train")
        for k in range(len(studies)):
            study = studies[k]
            for image in study.images:
                pixels.decode(image.data)
            [study.sentence_text(n) for n in range(len(study.sentences))]
        read_exclusion(data, ("mine",))

    made = []
    for file in sorted(directory.iterdir()):
        if file.is_file() and not file.name.endswith((".html", ".jsonl")):
            # A record's image that the decoder refuses is a ValueError.
            made.append(
                Reader(
                    f"records: {file.name.split('-0')[0][:22]}",
                    [file.read_bytes()],
                    _rewritten(file, read),
                    (ValueError,),
                )
            )
    secret = data / "private" / "secret"
    made.append(
        Reader("secrets", [secret.read_bytes()], _rewritten(secret, lambda p: read_secret(p)))
    )
    return made


def _models(folder: pathlib.Path) -> list[Reader]:
    zeros = np.zeros((3, 4), np.float32)
    tensors = safetensors.numpy.save({"a.weight": zeros, "b.bias": zeros[0]})
    words = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nedema\nno\n"
    merges = gzip.compress(b"#version\n" + b"\n".join([b"a b"] * 40))
    features, predicted = folder / "f.npz", folder / "p.npz"
    np.savez(features, image_id=np.array(["a", "b"]), features=zeros[:2])
    write_predictions(
        predicted,
        {
            "t": Predictions(
                "single", np.arange(4), np.arange(4) % 2, np.zeros((1, 4, 2)), ("x", "y")
            )
        },
    )
    write_rows(folder / "m.json", [Row("s", "d", "t", "zero_shot", "auroc", 0.5, 0.4, 0.6, 9, 0)])
    log = folder / "run"
    log.mkdir()
    return [
        Reader("weights", [tensors], _file(folder / "model.safetensors", weights_file.read)),
        Reader(
            "settings of weights",
            [b'{"model_type": "bert", "hidden_size": 8}'],
            _file(
                folder / "config.json",
                lambda p: weights_file.settings(p.parent / "model.safetensors"),
            ),
        ),
        Reader(
            "vocabularies",
            [words],
            _file(folder / "v" / "vocab.txt", lambda p: find_tokenizer(p.parent, {})),
            (ValueError,),
        ),
        Reader("merges of CLIP", [merges], clip_vocabulary, (ValueError, zlib.error)),
        Reader("features", [features.read_bytes()], _file(features, read_features), (ValueError,)),
        Reader(
            "predictions",
            [predicted.read_bytes()],
            _file(predicted, read_predictions),
            (ValueError,),
        ),
        Reader("metrics", [(folder / "m.json").read_bytes()], _file(folder / "m.json", read_rows)),
        Reader(
            "logs of trainings",
            [b'{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.25}\n'],
            _file(log / "log.jsonl", lambda p: read_log(p.parent)),
        ),
    ]


def _file(path: pathlib.Path, read: Callable[[epath.Path], object]) -> Callable[[bytes], object]:
    """A reader of a file that is written anew for each input."""
    path.parent.mkdir(exist_ok=True)

    def run(data: bytes) -> object:
        path.write_bytes(data)
        return read(epath.Path(path))

    return run


def _rewritten(
    path: pathlib.Path, read: Callable[[epath.Path], object]
) -> Callable[[bytes], object]:
    """The same, of one file among several: it is put back afterwards."""
    sound = path.read_bytes()

    def run(data: bytes) -> object:
        path.write_bytes(data)
        try:
            return read(epath.Path(path))
        finally:
            path.write_bytes(sound)

    return run


def _seeded(
    kind: Callable[[np.random.Generator, pathlib.Path], str], folder: pathlib.Path
) -> Callable[[bytes], object]:
    """One of the tests' own fuzzers, which mutates for itself."""
    return lambda data: kind(np.random.default_rng(list(data)), folder)


def _saved(image: np.ndarray, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form, **options)
    return buffer.getvalue()


def _transferred(data: bytes, syntax: str, frame: bytes = b"") -> bytes:
    """A DICOM file in another transfer syntax, with a compressed frame where one is given."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    if frame:
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
