"""What the model says: items of each kind, scripts of answers, and what a request's history has to look like."""

from standin.model.attempts import Attempt, End
from standin.model.history_check import Violation, ViolationKind
from standin.model.items import (
    CustomCall,
    FunctionCall,
    ImageGeneration,
    Item,
    LocalShellCall,
    Message,
    Reasoning,
    Structured,
    Unknown,
    WebSearch,
    shell_call,
)

__all__ = [
    "Attempt",
    "CustomCall",
    "End",
    "FunctionCall",
    "ImageGeneration",
    "Item",
    "LocalShellCall",
    "Message",
    "Reasoning",
    "Structured",
    "Unknown",
    "Violation",
    "ViolationKind",
    "WebSearch",
    "shell_call",
]
