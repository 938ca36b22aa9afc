"""The one error of this room."""


class LearningError(ValueError):
    """The rows at hand do not allow what was asked; the message says which rows, why, and what to do."""
