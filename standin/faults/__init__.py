"""What can be made to go wrong: the kinds and their table, faults with their details, and cases by name."""

from standin.faults.details import Action, Phase, Point, Scene
from standin.faults.fault import ANALYTICS_PREFIX, CATALOGUE_PATH, GENERATION_PREFIX, Fault, is_generation
from standin.faults.kinds import FaultKind
from standin.faults.rules import RULES, TOKEN_PATH, Rule

__all__ = [
    "ANALYTICS_PREFIX",
    "CATALOGUE_PATH",
    "GENERATION_PREFIX",
    "RULES",
    "TOKEN_PATH",
    "Action",
    "Fault",
    "FaultKind",
    "Phase",
    "Point",
    "Rule",
    "Scene",
    "is_generation",
]
