"""The one error of this room."""


class ClusterError(Exception):
    """The cluster cannot be used; the message says why, and what to do. `may_pass`: trying again is worth it."""

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        super().__init__(message)
        self.may_pass = may_pass

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (str(self), self.may_pass)


def _restored(message: str, may_pass: bool) -> ClusterError:
    return ClusterError(message, may_pass=may_pass)
