# SPDX-License-Identifier: Apache-2.0
"""Exports to a stand-in for the Hub: who may read them, and what is refused."""

import json
import types

import pytest
from huggingface_hub import errors

from medst_jax.data.records.studies import dataset_dir
from medst_jax.export.card import model_card
from medst_jax.export.errors import ExportError
from medst_jax.export.push import push, restricted_sources


class StandIn:
    """Keeps what it is given; `visible` repositories exist already."""

    def __init__(self, visible=None):
        self.repositories = dict(visible or {})
        self.uploads = []

    def model_info(self, name):
        if name not in self.repositories:
            raise errors.RepositoryNotFoundError.__new__(errors.RepositoryNotFoundError)
        return types.SimpleNamespace(private=self.repositories[name])

    def create_repo(self, name, *, private, repo_type, exist_ok):
        assert repo_type == "model" and exist_ok
        self.repositories.setdefault(name, private)

    def upload_folder(self, *, repo_id, folder_path, repo_type, commit_message):
        assert repo_type == "model" and commit_message
        self.uploads.append((repo_id, folder_path))


def test_a_repository_is_private_unless_asked_for(tmp_path):
    hub = StandIn()
    address = push(tmp_path, "me/mine", public=False, restricted=("mimic_cxr",), api=hub)
    assert address == "https://huggingface.co/me/mine"
    assert hub.repositories == {"me/mine": True}
    assert hub.uploads == [("me/mine", str(tmp_path))]
    push(tmp_path, "me/open", public=True, restricted=(), api=hub)
    assert hub.repositories["me/open"] is False


def test_restricted_data_are_not_published_without_the_users_word(tmp_path):
    hub = StandIn({"me/open": False})
    with pytest.raises(ExportError, match="trained on mimic_cxr, chexpert, which may not"):
        push(tmp_path, "me/x", public=True, restricted=("mimic_cxr", "chexpert"), api=hub)
    # A repository that is public already would publish it too.
    with pytest.raises(ExportError, match="me/open exists and is public"):
        push(tmp_path, "me/open", public=False, restricted=("mimic_cxr",), api=hub)
    assert not hub.uploads and "me/x" not in hub.repositories
    push(tmp_path, "me/x", public=True, restricted=("mimic_cxr",), i_may_publish=True, api=hub)
    assert hub.repositories["me/x"] is False


def test_a_hub_that_fails_is_one_line(tmp_path):
    hub = StandIn()

    def fail(**_):
        raise ConnectionError("no route to host\nand more")

    hub.upload_folder = fail
    with pytest.raises(ExportError, match="me/x was not written: no route to host; the export is"):
        push(tmp_path, "me/x", public=False, restricted=(), api=hub)
    with pytest.raises(ExportError, match="write owner/name"):
        push(tmp_path, "mine", public=False, restricted=(), api=hub)


def test_data_that_do_not_say_that_they_may_be_shared_may_not(tmp_path):
    for name, facts in (("free", {"redistributable": True}), ("closed", {"licence": "own"})):
        dataset_dir(tmp_path, name).mkdir(parents=True)
        (dataset_dir(tmp_path, name) / "dataset.json").write_text(json.dumps(facts))
    config = {"data": {"data_dir": str(tmp_path), "mixture": {}}}
    stamp = {"fingerprints": {"free": "1", "closed": "2", "away": "3"}}
    assert restricted_sources(config, stamp) == ("closed", "away")


def test_the_card_begins_with_what_the_hub_reads():
    text = model_card(
        system="clip",
        step=1,
        config={"data": {"mixture": {}}},
        architecture={"class": "ViT", "layout": "timm"},
        stamp={
            "global_batch": 2,
            "excluded_patients": 0,
            "fingerprints": {"mimic_cxr": "abc"},
            "intensity": {},
        },
        licence_of={"mimic_cxr": "PhysioNet"},
        labels=(),
        rows=(),
        usage="",
        summary={},
    )
    head, body = text.split("---\n")[1:3]
    assert "license: other" in head and "pipeline_tag: image-feature-extraction" in head
    assert "- mimic_cxr" in head and "library_name: medst_jax" in head
    assert body.lstrip().startswith("# clip: chest X-ray encoder")
    assert "| mimic_cxr | `abc` | unknown | PhysioNet |" in body
