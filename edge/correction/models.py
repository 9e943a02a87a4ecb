"""A model file: the corrections that one campaign has given."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from edge.correction.model import Correction, CorrectionError

ADVICE = "make one with `gongi calibrate fit TABLE --out MODEL`"


@dataclass(frozen=True, slots=True)
class Models:
    """The `fleet`'s correction, for sensors that the campaign didn't know, and each sensor's `own` by the
    name that its table gave it."""

    fleet: Correction
    own: Mapping[str, Correction]

    @classmethod
    def decode(cls, text: str, name: str) -> "Models":
        """The corrections of a model file's text; raises `CorrectionError`, which says `name`."""
        try:
            said = json.loads(text)
            fleet = Correction.decode(said["fleet"])
            own = [Correction.decode(one) for one in said["sensors"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorrectionError(f"can't be read as a model: {error}", name, ADVICE) from None
        except CorrectionError as error:
            raise CorrectionError(error.what, f"{name}: {error.where}", error.advice or ADVICE) from None
        return cls(fleet, {one.serial: one for one in own})
