# SPDX-License-Identifier: Apache-2.0
"""The audit of a folder of prepared data: reads, compares, writes `audit.json`, fails on leaks."""

from __future__ import annotations

import json
from collections.abc import Sequence

from etils import epath

from medst_jax.data.records.studies import MissingDataError
from medst_jax.data_pipelines.audit.compare import Finding, audit
from medst_jax.data_pipelines.audit.holdings import prepared, read_holdings

REPORT = "audit.json"


class LeakError(ValueError):
    """Splits share patients or images; the message names the splits and the counts."""


def run_audit(
    data_dir: epath.PathLike, datasets: Sequence[str] = (), *, allow_leaks: bool = False
) -> list[Finding]:
    """Audits the data sets named, or all that are prepared; the report goes beside them.

    Raises:
      LeakError: something is shared that training would see, unless `allow_leaks`.
      MissingDataError: a data set is not prepared, or there is none.
    """
    names = list(datasets) or prepared(data_dir)
    if not names:
        raise MissingDataError(f"{data_dir} holds no prepared data set to audit")
    holdings = [holding for name in names for holding in read_holdings(data_dir, name)]
    findings = audit(holdings)
    report = {
        "datasets": names,
        "images": {
            f"{holding.dataset}/{holding.split}": len(holding.files) for holding in holdings
        },
        "findings": [finding.row() for finding in findings],
    }
    (epath.Path(data_dir) / REPORT).write_text(json.dumps(report, indent=1))
    leaks = [finding for finding in findings if finding.leaks]
    if leaks and not allow_leaks:
        listed = "; ".join(
            f"{finding.first} and {finding.second} share {finding.patients} patients, {finding.files} "
            f"files, {finding.look_alikes} look-alike images"
            for finding in leaks
        )
        raise LeakError(
            f"{listed}. See {epath.Path(data_dir) / REPORT}; mend the splits, exclude the patients, "
            "or pass --allow_leaks"
        )
    return findings
