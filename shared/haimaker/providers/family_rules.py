"""What a provider wants otherwise of some families of models than of its others. Data only.

Only what is the provider's own: what a family takes at every host is in `models/families.py`.
"""

from collections.abc import Mapping

from haimaker.lean_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FamilyRule:
    """A rule that holds for models of one family, in addition to the provider's own. The fields are those of `Dialect`."""

    drop: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    answer_tool: tuple[str, ...] = ()
    search_tool: str = ""
    thinking_switch: bool = False


NO_RULE = FamilyRule()
FamilyRules = Mapping[str, FamilyRule]
"""By a family's name. Of a model's families the most specific one counts."""
