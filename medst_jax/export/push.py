# SPDX-License-Identifier: Apache-2.0
"""An export to the Hugging Face Hub: private unless asked for, public only where data allow it."""

from collections.abc import Mapping
from typing import Any

from etils import epath

from medst_jax.data.records.studies import MissingDataError, read_info
from medst_jax.export.errors import ExportError


def restricted_sources(config: Mapping[str, Any], stamp: Mapping[str, Any]) -> tuple[str, ...]:
    """Data sets of the training that may not be redistributed.

    Counted so are those whose records do not say that they may, and those that are not at hand.
    """
    return tuple(
        name
        for name in stamp.get("fingerprints", config["data"]["mixture"])
        if not _redistributable(config["data"].get("data_dir", ""), name)
    )


def _redistributable(data_dir: str, name: str) -> bool:
    try:
        return bool(read_info(data_dir, name).get("redistributable"))
    except (MissingDataError, OSError, ValueError):
        return False


def push(
    folder: epath.PathLike,
    repository: str,
    *,
    public: bool,
    restricted: tuple[str, ...],
    i_may_publish: bool = False,
    api: Any = None,
) -> str:
    """Upload an export, README.md as the model card.

    Args:
      folder: of the export.
      repository: "owner/name"; made where it does not exist.
      public: whether anybody may read it.
      restricted: data sets of the training that may not be redistributed.
      i_may_publish: the user's word that weights trained on them may be published.
      api: with the methods of `huggingface_hub.HfApi`; None for that one.

    Returns:
      the address.

    Raises:
      ExportError: a public repository for restricted data, one whose visibility is another than
        asked for, or a Hub that refuses or cannot be reached.
    """
    from huggingface_hub import HfApi, errors

    if repository.count("/") != 1:
        raise ExportError(f"--push_to is {repository!r}; write owner/name")
    check_permission(restricted, public=public, i_may_publish=i_may_publish)
    api = api or HfApi()
    try:
        try:
            exists_public = not api.model_info(repository).private
        except errors.RepositoryNotFoundError:
            exists_public = False
        if exists_public and not public:
            raise ExportError(
                f"{repository} exists and is public; give --public, or the name of a private one"
            )
        api.create_repo(repository, private=not public, repo_type="model", exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=str(folder),
            repo_type="model",
            commit_message="Export of medst_jax",
        )
    except (errors.HfHubHTTPError, errors.LocalTokenNotFoundError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ExportError(
            f"{repository} was not written: {first}; the export is in {folder} (log in with "
            "hf auth login, and check the network)"
        ) from error
    return f"https://huggingface.co/{repository}"


def check_permission(restricted: tuple[str, ...], *, public: bool, i_may_publish: bool) -> None:
    """Refuse to publish weights of restricted data without the user's word.

    Raises:
      ExportError: names the data sets.
    """
    if public and restricted and not i_may_publish:
        raise ExportError(
            f"the weights were trained on {', '.join(restricted)}, which may not be redistributed as "
            "far as the records say; leave out --public, or give --i_may_publish if their licences "
            "let you publish models trained on them"
        )
