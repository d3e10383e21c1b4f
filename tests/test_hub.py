# SPDX-License-Identifier: Apache-2.0
"""Folders of the Hub out of the local cache, and what is said where there is none."""

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from medst_jax import hub
from medst_jax.data.tokenize.tokenizer_files import find_tokenizer
from medst_jax.models.weights.pretrained import from_pretrained
from medst_jax.models.weights.weights_file import PretrainedError
from tests.models.weights import public_files

COMMIT = "a" * 40


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache that holds one repository, on a machine without network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place = tmp_path / "models--someone--dino"
    public_files.write(place / "snapshots" / COMMIT, *public_files.dinov2())
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)
    return tmp_path


def test_the_cache_is_read_without_network(cache):
    folder = hub.local("hf-hub:someone/dino")
    assert folder.name == COMMIT
    assert hub.local(f"hf-hub:someone/dino@{COMMIT}") == folder
    module, tokenizer = from_pretrained("hf-hub:someone/dino", "hf-dinov2")
    assert module.options.heads == 3 and tokenizer is None
    assert find_tokenizer("hf-hub:someone/dino", {}) is None


def test_without_network_and_cache_one_line_says_so(cache):
    with pytest.raises(hub.HubError, match="someone/other is not in the local cache") as caught:
        hub.local("hf-hub:someone/other")
    assert "\n" not in str(caught.value)
    with pytest.raises(PretrainedError, match="the Hub cannot be reached"):
        from_pretrained("hf-hub:someone/other", "timm")
    for name in ("hf-hub:dino", "hf-hub:a/b/c"):
        with pytest.raises(hub.HubError, match="write hf-hub:owner/name"):
            hub.local(name)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (errors.GatedRepoError, "accept its terms at huggingface.co/someone/dino"),
        (errors.RepositoryNotFoundError, "there is no repository someone/dino on the Hub"),
        (ConnectionError, "cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_said_in_a_line(monkeypatch, kind, message):
    def refuse(*_, **__):
        raise kind.__new__(kind)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(hub.HubError, match=message) as caught:
        hub.local("hf-hub:someone/dino")
    assert "\n" not in str(caught.value)


def test_only_what_is_read_is_fetched(monkeypatch):
    asked = {}

    def download(name, **options):
        asked.update(options, name=name)
        return "/somewhere"

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert str(hub.local("hf-hub:a/b@v1")) == "/somewhere"
    assert (asked["name"], asked["revision"]) == ("a/b", "v1")
    assert not any(pattern.endswith((".bin", ".pt", "*")) for pattern in asked["allow_patterns"])
    assert str(hub.local("some/folder")) == "some/folder"


def test_a_folder_of_pickles_names_the_command(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(PretrainedError, match=r"pytorch_model\.bin; turn it into one with"):
        from_pretrained(tmp_path, "medclip")
