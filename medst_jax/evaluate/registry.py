# SPDX-License-Identifier: Apache-2.0
"""The protocols by name, and their options from a configuration."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from medst_jax.evaluate.protocols.base_new import BaseNewOptions, base_new
from medst_jax.evaluate.protocols.class_retrieval import ClassRetrievalOptions, class_retrieval
from medst_jax.evaluate.protocols.dense_prediction import (
    DensePredictionOptions,
    dense_prediction,
)
from medst_jax.evaluate.protocols.fine_tune import FineTuneOptions, fine_tune
from medst_jax.evaluate.protocols.linear_probe import LinearProbeOptions, linear_probe
from medst_jax.evaluate.protocols.masked_report import MaskedReportOptions, masked_report
from medst_jax.evaluate.protocols.patient_retrieval import (
    PatientRetrievalOptions,
    patient_retrieval,
)
from medst_jax.evaluate.protocols.phrase_grounding import (
    PhraseGroundingOptions,
    phrase_grounding,
)
from medst_jax.evaluate.protocols.prior_image import PriorImageOptions, prior_image
from medst_jax.evaluate.protocols.retrieval import RetrievalOptions, retrieval
from medst_jax.evaluate.protocols.saliency import SaliencyOptions, saliency
from medst_jax.evaluate.protocols.sentence_inference import (
    SentenceInferenceOptions,
    sentence_inference,
)
from medst_jax.evaluate.protocols.sentence_similarity import (
    SentenceSimilarityOptions,
    sentence_similarity,
)
from medst_jax.evaluate.protocols.severity import SeverityOptions, severity
from medst_jax.evaluate.protocols.temporal_classification import (
    TemporalClassificationOptions,
    temporal_classification,
)
from medst_jax.evaluate.protocols.word_attribution import (
    WordAttributionOptions,
    word_attribution,
)
from medst_jax.evaluate.protocols.zero_shot import ZeroShotOptions, zero_shot
from medst_jax.evaluate.protocols.zero_shot_pair import ZeroShotPairOptions, zero_shot_pair
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.options import OptionError, parse


class Protocol(NamedTuple):
    """How a protocol is configured and run."""

    options: type[Any]
    run: Callable[[Any, EvaluationContext], Outcome]


PROTOCOLS: dict[str, Protocol] = {
    "zero_shot": Protocol(ZeroShotOptions, zero_shot),
    "base_new": Protocol(BaseNewOptions, base_new),
    "linear_probe": Protocol(LinearProbeOptions, linear_probe),
    "fine_tune": Protocol(FineTuneOptions, fine_tune),
    "dense_prediction": Protocol(DensePredictionOptions, dense_prediction),
    "prior_image": Protocol(PriorImageOptions, prior_image),
    "saliency": Protocol(SaliencyOptions, saliency),
    "retrieval": Protocol(RetrievalOptions, retrieval),
    "class_retrieval": Protocol(ClassRetrievalOptions, class_retrieval),
    "patient_retrieval": Protocol(PatientRetrievalOptions, patient_retrieval),
    "temporal_classification": Protocol(TemporalClassificationOptions, temporal_classification),
    "sentence_inference": Protocol(SentenceInferenceOptions, sentence_inference),
    "sentence_similarity": Protocol(SentenceSimilarityOptions, sentence_similarity),
    "phrase_grounding": Protocol(PhraseGroundingOptions, phrase_grounding),
    "zero_shot_pair": Protocol(ZeroShotPairOptions, zero_shot_pair),
    "word_attribution": Protocol(WordAttributionOptions, word_attribution),
    "severity": Protocol(SeverityOptions, severity),
    "masked_report": Protocol(MaskedReportOptions, masked_report),
}


class ConfiguredProtocol(NamedTuple):
    """A protocol with its options: one entry of a suite."""

    protocol: str
    options: Any

    def run(self, context: EvaluationContext) -> Outcome:
        """Run it on one system.

        Raises:
          NotApplicable: the system cannot serve it, or comes as several checkpoints, which it does not
            average.
        """
        if context.further and not getattr(self.options, "averages_checkpoints", False):
            raise NotApplicable(
                "several checkpoints are averaged by zero_shot with mode='pairs' alone; evaluate one"
            )
        return PROTOCOLS[self.protocol].run(self.options, context)

    def needs(self) -> tuple[tuple[str, str], ...]:
        """The (data set, split) pairs that the entry reads."""
        places = ("task", "train", "validation")
        sources = [self.options, *(getattr(self.options, name, None) for name in places)]
        return tuple((s.dataset, s.split) for s in sources if hasattr(s, "dataset"))


def parse_protocol(values: Mapping[str, Any], where: str) -> ConfiguredProtocol:
    """Parse `{"protocol": name, **options}`.

    Raises:
      OptionError: an unknown protocol or option, naming the dotted key.
    """
    rest = dict(values)
    name = rest.pop("protocol", None)
    if name not in PROTOCOLS:
        raise OptionError(f"{where}.protocol is {name!r}; it must be one of {list(PROTOCOLS)}")
    return ConfiguredProtocol(name, parse(PROTOCOLS[name].options, rest, where))
