# SPDX-License-Identifier: Apache-2.0
"""Folders of the Hugging Face Hub, named `hf-hub:owner/name` or `hf-hub:owner/name@revision`.

What was fetched once is read from the local cache, so a machine without network can use it
(HF_HUB_OFFLINE=1 asks for that at once).
"""

from etils import epath

PREFIX = "hf-hub:"
# Weights, configs and tokenizers; pickles are not read here, so they are not fetched.
_WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "bpe_simple_vocab_16e6.txt.gz")


class HubError(ValueError):
    """A repository that cannot be fetched."""


def local(path: epath.PathLike) -> epath.Path:
    """The folder of a repository on this machine, fetched if need be; other paths as they are.

    Raises:
      HubError: no such repository, no permission to read it, or no network and nothing cached.
    """
    if not str(path).startswith(PREFIX):
        return epath.Path(path)
    # Only now: other paths need no network client.
    import huggingface_hub
    from huggingface_hub import errors

    name, _, revision = str(path).removeprefix(PREFIX).partition("@")
    if name.count("/") != 1:
        raise HubError(f"{path} names no repository; write {PREFIX}owner/name")
    try:
        folder = huggingface_hub.snapshot_download(
            name, revision=revision or None, allow_patterns=list(_WANTED)
        )
    except errors.GatedRepoError:
        raise HubError(
            f"{name} is gated: accept its terms at huggingface.co/{name} and log in with a token "
            "(hf auth login)"
        ) from None
    except (errors.RevisionNotFoundError, errors.RepositoryNotFoundError):
        revised = f" or no revision {revision!r}" if revision else ""
        raise HubError(
            f"there is no repository {name}{revised} on the Hub, or it is private and needs a token"
        ) from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, OSError) as error:
        raise HubError(
            f"{name} is not in the local cache and the Hub cannot be reached "
            f"({type(error).__name__}); fetch it on a machine with network, and copy the cache or "
            "give the folder itself"
        ) from None
    except errors.HFValidationError as error:
        raise HubError(f"{path} names no repository: {error}") from None
    assert isinstance(folder, str)
    return epath.Path(folder)
