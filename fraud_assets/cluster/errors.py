"""The one error of this room."""


class ClusterError(Exception):
    """The cluster cannot be used; the message says why, and what to do. `may_pass`: trying again is worth it."""

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        super().__init__(message)
        self.may_pass = may_pass

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (str(self), self.may_pass)


def lacks_module(error: ImportError) -> ClusterError:
    """What to say of a worker that cannot import what it is to carry out."""
    return ClusterError(
        f"A Dask worker lacks a module ({error}); install fraud-assets[dask] on its host, in the version of this one, "
        "and start it again.",
        may_pass=False,
    )


def ended_workers(what: str, number: int) -> ClusterError:
    """What to say of work that has ended worker after worker, as for lack of memory."""
    return ClusterError(
        f"{number} Dask workers ended one after the other while they did {what}; give them more memory, or see their "
        "logs.",
        may_pass=False,
    )


def _restored(message: str, may_pass: bool) -> ClusterError:
    return ClusterError(message, may_pass=may_pass)
