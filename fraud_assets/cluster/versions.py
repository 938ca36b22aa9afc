"""What a worker must have in common with whoever sends it work: the same models come of the same libraries only."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from fraud_assets.cluster.errors import ClusterError

PACKAGES = ("fraud-assets", "scikit-learn", "numpy", "scipy", "pandas", "joblib")


@cache
def own_versions() -> Mapping[str, str]:
    """Python's and the libraries' versions in this process, by name."""
    return {"Python": ".".join(platform.python_version_tuple()[:2]), **{name: _version(name) for name in PACKAGES}}


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """What is not the same, in words."""
    return [f"{name} {theirs.get(name)} instead of {ours[name]}" for name in ours if theirs.get(name) != ours[name]]


def require_same(senders: Mapping[str, str], where: str) -> None:
    """Raise `ClusterError` where this process has other versions than the sender."""
    different = differences(own_versions(), senders)
    if different:
        raise ClusterError(
            f"The Dask worker {where} has {', '.join(different)}: models would come out otherwise; install the same "
            "versions on all hosts, and start it again.",
            may_pass=False,
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
