# SPDX-License-Identifier: Apache-2.0
"""The fixed facts of a data set, for its card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class About:
    """What the card says of a data set.

    intensity: the default of a build. namespace: the collection whose patient and image ids it
    uses, empty for its own. evaluation_only: nothing trains on it.
    """

    description: str
    licence: str = ""
    redistributable: bool = False
    intensity: str = "none"
    namespace: str = ""
    evaluation_only: bool = False

    def card(self) -> dict[str, Any]:
        """The facts that are not empty; `redistributable` and `intensity` always."""
        always = {"redistributable": self.redistributable, "intensity": self.intensity}
        rest = {
            "description": self.description,
            "licence": self.licence,
            "namespace": self.namespace,
            "evaluation_only": self.evaluation_only,
        }
        return {**always, **{name: value for name, value in rest.items() if value}}
