# SPDX-License-Identifier: Apache-2.0
"""Values that the configs of report-supervised temporal and text systems share.

Published values where the papers or releases give them; what they leave open is declared here
and named in each config's docstring.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common
from medst_jax.data.mixture.data_options import DataSetOptions


def reports(name: str, *, size: int, text_length: int, batch_size: int, steps: int) -> ConfigDict:
    """The paper-size frame of a system trained on MIMIC-CXR images and whole reports."""
    config = common.image_text(name)
    config.system.joint = 128
    # No flips: reports name sides.
    config.system.augment = ConfigDict(dict(probability=1.0))
    config.system.preprocess = ConfigDict(dict(size=size, fit="crop", mean=0.0, std=1.0))
    config.data.update(dict(size=size, fit="crop", text_length=text_length))
    config.data.mixture = common.mixture(mimic_cxr=DataSetOptions(sentences="shuffled"))
    config.train.update(dict(batch_size=batch_size, steps=steps, checkpoint_every=2_000))
    config.optimizer.update(
        dict(warmup_start=0.0, weight_decay=0.05, decay_mask="all", clip_norm=1.0)
    )
    return config


def impression_first(config: ConfigDict) -> None:
    """Whole reports as MGCA and Med-ST read them: the impression, then the findings, as words alone.

    Their releases also drop reports of less than three words.
    """
    config.data.mixture.mimic_cxr.update(
        dict(
            sentences="all",
            sections=("impression", "findings"),
            order="sections",
            cleaning="words",
        )
    )


def pad_and_crop(config: ConfigDict) -> None:
    """The images of GLoRIA, MGCA and Med-ST: padded to 256 pixels, of which training sees any 224.

    No flips: reports name sides, and those releases do not flip either.
    """
    config.data.update(dict(size=256, fit="pad"))
    config.system.preprocess.update(dict(fit="pad", crop_from=256, mean=0.5, std=0.5))
    config.system.augment = ConfigDict(dict(crop="random"))


def small(config: ConfigDict, arg: str | None) -> bool:
    """Apply the variant named `arg`; whether there was one, and the system needs small sizes.

    Small variants read the reports of the simulated cohort's site M, whole and shuffled.

    Raises:
      ValueError: `arg` names another data set, or an unknown variant.
    """
    common.variant(config, arg)
    if not arg:
        return False
    common.check_datasets(arg, "simulated_cxr_m")
    config.system.text.depth = 1
    config.data.update(dict(fit="pad", text_length=96))
    config.data.mixture = common.mixture(simulated_cxr_m=DataSetOptions(sentences="shuffled"))
    return True


def small_impressions(config: ConfigDict, steps: int = 700) -> None:
    """Read the impressions of site M alone in a small variant, for `steps` at most.

    They affirm, where two of three sentences of a whole report do not; three of four have no more
    than 27 tokens.
    """
    config.data.mixture.simulated_cxr_m.sections = ("impression",)
    config.data.text_length = 32
    config.train.steps = min(config.train.steps, steps)


def text_only(config: ConfigDict) -> ConfigDict:
    """Leave out of `config.system` what a system without images does not have."""
    for key in ("image", "augment", "temperature"):
        if key in config.system:
            del config.system[key]
    return config
