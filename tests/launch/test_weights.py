# SPDX-License-Identifier: Apache-2.0
"""`prepare --weights` against a server that stands in for the real ones."""

import functools
import hashlib
import http.server
import json
import pathlib
import shutil
import sys
import threading
import types

import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from medst_jax.commands.parts.fetching import RECORD, FetchError, described, fetch, wanted
from medst_jax.data.loader.input import load_tokenizer
from medst_jax.data.mixture.data_options import DataOptions, DataSetOptions
from medst_jax.models import ResNet, ResNetOptions, save_pretrained
from medst_jax.models.weights.public_weights import FILE, PUBLIC, PublicWeights
from tests.models.compiled import build

STORED = pathlib.Path(__file__).resolve().parents[1] / "models" / "weights" / "stored" / "released"
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "edema", "##s")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    """A folder and the address under which a server of this machine shows it."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def entry(monkeypatch, site):
    """Adds an entry of weights at the server."""

    def add(name, layout, files, *, parts=("image",), digests=None, beside=(), **others):
        address = site[1]
        known = PublicWeights(
            what="a small net",
            parts=parts,
            layout=layout,
            licence="none",
            files=tuple(f"{address}/{file}" for file in files),
            beside=tuple(f"{address}/{file}" for file in beside),
            digests={f"{address}/{file}": digest for file, digest in (digests or {}).items()},
            **others,
        )
        monkeypatch.setitem(PUBLIC, name, known)

    return add


@pytest.fixture
def fake_torch(monkeypatch):
    """`torch.load` of a file that is safetensors by another name."""

    class Tensor:
        def __init__(self, array):
            self.array, self.dtype = array, array.dtype

        detach = cpu = contiguous = lambda self: self

        def numpy(self):
            return self.array

    def load(path, map_location, weights_only):
        assert weights_only is True
        return {"model": {name: Tensor(array) for name, array in load_file(path).items()}}

    fake = types.SimpleNamespace(load=load, Tensor=Tensor, bfloat16=None)
    monkeypatch.setitem(sys.modules, "torch", fake)


def stored(name, folder, file=FILE):
    for path in (STORED / name).iterdir():
        shutil.copy(path, folder / (file if path.name == FILE else path.name))


@pytest.mark.parametrize(
    ("fixture", "layout"),
    [("hf-swin", "hf-swin"), ("timm", "timm"), ("mgca-vit", "mgca"), ("hf-bert", "hf-bert"),
     ("cxr-bert", "biovil")],
)  # fmt: skip
def test_released_names_are_fetched_and_read_back(fixture, layout, site, entry, tmp_path):
    folder, address = site
    stored(fixture, folder)
    entry("small", layout, (FILE,), beside=("config.json",))
    lines = list(fetch("small", str(tmp_path)))
    assert "licence: none" in lines[0] and f"layout {layout}" in lines[-1]
    target = tmp_path / "weights" / "small"
    assert (target / FILE).read_bytes() == (folder / FILE).read_bytes()
    record = json.loads((target / RECORD).read_text())
    assert record["sha256"] == hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    assert record["address"] == f"{address}/{FILE}"


def test_a_pickled_file_is_converted_and_its_digest_checked(site, entry, tmp_path, fake_torch):
    folder, _ = site
    sizes = dict(widths=(4, 8), blocks=(1, 1), strides=(1, 2), stem_width=4, channels=3)
    net = build(lambda: ResNet(ResNetOptions.small(**sizes), rngs=nnx.Rngs(0)))
    save_pretrained(net, tmp_path / "net.safetensors", "torchvision")
    tensors = load_file(tmp_path / "net.safetensors")
    save_file({**tensors, "fc.weight": np.zeros((3, 8), np.float32)}, folder / "net-1.pth")
    digest = hashlib.sha256((folder / "net-1.pth").read_bytes()).hexdigest()
    entry("good", "torchvision", ("absent.bin", "net-1.pth"), digests={"net-1.pth": digest[:8]})
    list(fetch("good", str(tmp_path)))
    target = tmp_path / "weights" / "good"
    assert sorted(p.name for p in target.iterdir()) == [FILE, RECORD]
    read = load_file(target / FILE)
    assert read.keys() == tensors.keys() | {"fc.weight"}
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors)
    entry("bad", "torchvision", ("net-1.pth",), digests={"net-1.pth": "0" * 8})
    with pytest.raises(FetchError, match="not what was published"):
        list(fetch("bad", str(tmp_path)))
    assert not (tmp_path / "weights" / "bad" / FILE).exists()


def test_a_tokenizer_becomes_a_vocabulary(site, entry, tmp_path):
    folder, _ = site
    (folder / "vocab.txt").write_text("\n".join(PIECES))
    stored("hf-bert", folder)
    entry("words", "hf-bert", (FILE,), parts=("text",), beside=("config.json", "vocab.txt"))
    assert "its tokenizer, from" in described("words", str(tmp_path), weights=False)
    (line,) = fetch("words", str(tmp_path), weights=False)
    assert "8 pieces" in line and not (tmp_path / "weights" / "words" / FILE).exists()
    options = DataOptions({"a": DataSetOptions()}, data_dir=str(tmp_path), vocabulary="words")
    tokenizer = load_tokenizer(options)
    assert tokenizer.hidden == 4
    assert tokenizer.encode("no edemas", 6).tolist() == [2, 5, 6, 7, 3, 0]
    list(fetch("words", str(tmp_path)))
    assert described("words", str(tmp_path), weights=True).endswith("there already")


def test_what_cannot_be_fetched_is_said_in_a_line(site, entry, tmp_path, fake_torch):
    entry("lost", "timm", ("a.bin", "b.pth"))
    with pytest.raises(FetchError, match="404.*404.*Put one of these files into"):
        list(fetch("lost", str(tmp_path)))
    entry("own", "timm", (), by_hand="the checkpoint of a friend")
    with pytest.raises(FetchError, match="by a program; put into .*own: the checkpoint of a fri"):
        list(fetch("own", str(tmp_path)))
    place = tmp_path / "weights" / "own"
    assert place.is_dir()
    stored("timm", place, "vit.ckpt")
    list(fetch("own", str(tmp_path)))
    assert {FILE, "vit.ckpt"} < {p.name for p in place.iterdir()}  # what was put there stays
    (place / FILE).unlink()
    (place / "second.pt").touch()
    with pytest.raises(FetchError, match="second.pt, vit.ckpt; leave one"):
        list(fetch("own", str(tmp_path)))


def test_a_file_of_another_layout_is_refused(site, entry, tmp_path):
    folder, _ = site
    stored("timm", folder)
    entry("small", "torchvision", (FILE,))
    with pytest.raises(FetchError, match="not of layout 'torchvision'.*remove it"):
        list(fetch("small", str(tmp_path)))


def test_configurations_and_names_ask_for_weights():
    assert wanted("clip") == {"bio_clinical_bert": True, "resnet50_imagenet_v2": True}
    assert wanted("clip:scratch,a+b") == {"bio_clinical_bert": False}
    assert wanted("medst") == {"bio_clinical_bert": False, "mgca_vit_b16": True}
    assert wanted("siglip_b16") == wanted("clip:smoke") == {}
    assert wanted("scibert,scibert") == {"scibert": True}
    for argument in ("scibrt", "clip:smok"):
        with pytest.raises(FetchError, match=f"--weights.*{argument.split(':')[-1]}"):
            wanted(argument)
