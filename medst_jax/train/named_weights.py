# SPDX-License-Identifier: Apache-2.0
"""Weights that a configuration names: refused before anything is read where they are missing."""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from medst_jax.command_line import user_command
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.models.weights.public_weights import PUBLIC, absent, folder_of
from medst_jax.options import OptionError
from medst_jax.train.options import InitOptions, OptimizerOptions

_LOG = logging.getLogger(__name__)


def require_weights(config: Mapping[str, Any], *, resuming: bool) -> None:
    """Refuse a training whose named weights, or whose tokenizer, are not in the data folder.

    Args:
      config: the full configuration.
      resuming: the run goes on from a checkpoint and reads no weights, texts as before.

    Raises:
      OptionError: says what is missing, and the command that fetches it.
    """
    data, init = config.get("data", {}), config.get("init", {})
    named = () if resuming else (init.get("image", ""), init.get("text", ""))
    folder = data.get("data_dir", "data")
    missing = absent(named, (data.get("vocabulary", ""),), folder)
    if missing:
        random = "" if not any(named) else ", or start from random weights on purpose (:scratch)"
        raise OptionError(
            f"{', '.join(missing)}, which the configuration starts from, is not prepared in "
            f"{folder}: fetch it with {user_command('prepare')} "
            f"--weights={','.join(missing)} --data_dir={folder}{random}"
        )


def located(init: InitOptions, part: str, data_dir: str) -> tuple[str, str]:
    """File or folder, and layout, of the weights of one encoder; a name becomes its folder.

    Args:
      init: the section.
      part: "image" or "text".
      data_dir: of the configuration.

    Returns:
      (path, layout); the layout is "" for that of the encoder's own library, the path "" for none.

    Raises:
      OptionError: the named weights are not for that encoder.
    """
    value: str = getattr(init, part)
    if value not in PUBLIC:
        return value, (init.text_layout if part == "text" else "") or init.layout
    known = PUBLIC[value]
    if part not in known.parts:
        raise OptionError(
            f"config.init.{part} is {value!r} ({known.what}), which is for the "
            f"{' and the '.join(known.parts)} encoder"
        )
    return str(folder_of(value, data_dir)), known.layout


def check_hidden_token(options: Mapping[str, Any], tokenizer: TextTokenizer | None) -> None:
    """Refuse to hide words behind a token that is not the tokenizer's [MASK].

    Args:
      options: of the system; those without `mask` hide no words.
      tokenizer: of the data.

    Raises:
      OptionError: the tokenizer's [MASK] has another number, or it has none.
    """
    if "mask" not in options or tokenizer is None:
        return
    token = options["mask"].get("token", tokenizer.hidden)
    if token != tokenizer.hidden:
        raise OptionError(
            f"config.system.mask.token is {token}, but [MASK] of the data's vocabulary is "
            f"{tokenizer.hidden}; set it to that, or choose a vocabulary that has the token"
        )


def warn_frozen(init: InitOptions, parameters: Iterable[str], optimizer: OptimizerOptions) -> None:
    """Say where parameters of an encoder stay random: frozen, and started from nothing.

    Args:
      init: the section.
      parameters: their paths.
      optimizer: the section; its learning rates of 0 and its frozen layers are read.
    """
    frozen = tuple((pattern, 0.0) for pattern, _ in optimizer.frozen_layers)
    rates = frozen + optimizer.learning_rates
    for part in ("image", "text"):
        if getattr(init, part):
            continue
        for path in parameters:
            factors = (factor for pattern, factor in rates if re.search(pattern, path))
            if path.startswith(f"{part}_encoder/") and next(factors, 1.0) == 0.0:
                _LOG.warning(
                    "%s is frozen by config.optimizer and starts from random "
                    "values; name weights in config.init.%s or let it train",
                    path,
                    part,
                )
