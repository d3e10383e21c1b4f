# SPDX-License-Identifier: Apache-2.0
"""A training run from its configuration: input, evaluators, then the run itself."""

from collections.abc import Sequence
from typing import Any

from medst_jax import systems
from medst_jax.data.loader.input import TrainInput, load_tokenizer, make_input
from medst_jax.data.loader.pair_input import PairInput, make_pair_input
from medst_jax.data.mixture.data_options import DataOptions
from medst_jax.data.mixture.exclusion import require_manifests
from medst_jax.options import parse
from medst_jax.parallel.processes import check_all_processes
from medst_jax.systems.parts.query_texts import query_values
from medst_jax.train.loop import Evaluators
from medst_jax.train.named_weights import check_hidden_token, require_weights
from medst_jax.train.options import TrainOptions
from medst_jax.train.run import RunInput, begun, resumed_config, run
from medst_jax.train.runtime import enable_compilation_cache
from medst_jax.train.sections import check_sections
from medst_jax.train.writers import Writer


def train(
    config: dict[str, Any], workdir: str, trackers: Sequence[Writer] = ()
) -> tuple[int, bool]:
    """Train, or resume the training in `workdir`.

    Returns:
      The last step, and whether SIGTERM stopped it before the end.
    """
    error: Exception | None = None
    try:
        config = resumed_config(workdir, config)
        resuming = begun(workdir)
        require_weights(config, resuming=resuming)
        system, source, evaluators = open_run(config, resuming=resuming)
    except Exception as raised:  # noqa: BLE001 (raised again below)
        error = raised
    # Data missing on one machine ends the run on all, before the others wait for it.
    check_all_processes(error)
    try:
        outcome = run(workdir, config, system, source, evaluators, trackers)
        return int(outcome.state.step), outcome.preempted
    finally:
        source.close()


def open_run(
    config: dict[str, Any], *, resuming: bool = False
) -> tuple[dict[str, Any], RunInput, Evaluators]:
    """What `run` takes: the system's description, the opened input, the evaluators.

    A run that is `resuming` may read data of before manifests, which it compares with its stamp.
    """
    check_sections(config)
    train = parse(TrainOptions, config["train"], "config.train")
    enable_compilation_cache(train.compilation_cache)
    data = parse(DataOptions, config["data"], "config.data")
    if not resuming:
        read = {chosen.dataset or name for name, chosen in data.mixture.items()}
        require_manifests(data.data_dir, sorted(read), data.exclude)
    options = dict(config["system"])
    name = options.pop("name", "")
    system_class = systems.system_class(name)
    tokenizer = load_tokenizer(data)
    check_hidden_token(options, tokenizer)
    sizes: dict[str, Any] = dict(
        seed=config["seed"], global_batch=train.batch_size, tokenizer=tokenizer
    )
    source: TrainInput | PairInput
    if "pair_tokens" in system_class.required_keys:
        source = make_pair_input(data, **sizes)
    else:
        source = make_input(data, **sizes, required_keys=system_class.required_keys)
    options |= {
        "labels": list(source.labels),
        "vocabulary_size": tokenizer.size if tokenizer else 0,
        "seed": options.get("seed", config["seed"]),
        **query_values(system_class.Options, options, source.entities, source.places, tokenizer),
    }
    evaluators = make_evaluators(config.get("evaluate", {}), tokenizer, data)
    described = RunInput(source.batches, source.spec, source.stamp(), tokenizer, source.close)
    return {"name": name, "options": options}, described, evaluators


def make_evaluators(entries: dict[str, Any], tokenizer: Any, data: DataOptions) -> Evaluators:
    """Evaluators of `config.evaluate`, whose libraries take seconds to import."""
    if not entries:
        return {}
    from medst_jax.evaluate.in_loop import make_evaluator

    return {k: (int(e["every"]), make_evaluator(e, tokenizer, data)) for k, e in entries.items()}
