# SPDX-License-Identifier: Apache-2.0
"""ConText of medspaCy on mentions that are already found; run by experiments/labeler/label_findings.py.

    PYTHON experiments/labeler/medspacy_worker.py < request.json

The request is a list of texts, each a list of sentences, each {"text", "mentions": [[start, end],
...]} in characters. Prints {"version", "seconds", "flags"}: processor time of tokenising and
ConText, and for each mention the names of what ConText says of it, texts and sentences as given.

Reference: Eyre et al., "Launching into clinical space with medspaCy", AMIA 2021.
"""

import json
import sys
import time
import warnings
from importlib import metadata

warnings.filterwarnings("ignore")

import medspacy
from loguru import logger

GROUP = "medspacy_spans"
FLAGS = ("is_negated", "is_uncertain", "is_historical", "is_hypothetical", "is_family")


def main():
    logger.remove()
    pipeline = medspacy.load(medspacy_enable=["medspacy_tokenizer", "medspacy_context"])
    context = pipeline.get_pipe("medspacy_context")
    context.input_span_type = "group"
    request = json.load(sys.stdin)
    flags = []
    began = time.process_time()
    for sentences in request:
        flags.append([])
        for sentence in sentences:
            document = pipeline.make_doc(sentence["text"])
            for token in document:
                token.is_sent_start = token.i == 0
            spans = [
                document.char_span(start, end, label="mention", alignment_mode="expand")
                for start, end in sentence["mentions"]
            ]
            document.spans[GROUP] = spans
            context(document)
            flags[-1].append([[f for f in FLAGS if getattr(s._, f)] for s in spans])
    seconds = time.process_time() - began
    print(json.dumps({"version": metadata.version("medspacy"), "seconds": seconds, "flags": flags}))


if __name__ == "__main__":
    main()
