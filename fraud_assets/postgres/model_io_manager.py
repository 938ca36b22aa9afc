"""The IO manager for fitted models: signed bytes in a table, verified before a single one of them is unpickled."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import dagster as dg
from pydantic import Field

from fraud_assets.postgres.connection import PostgresResource
from fraud_assets.postgres.errors import PartitionMissing, PostgresStorageError
from fraud_assets.postgres.steps.contexts import (
    UNPARTITIONED,
    archived_versions,
    asset_name,
    check_is_asset,
    combined_hash,
    facts,
    origins,
    output_partitions,
    seen_for,
    volatile_attributes,
)
from fraud_assets.postgres.steps.failures import as_failures
from fraud_assets.postgres.steps.inputs import all_partitions, note_seen, wanted, which
from fraud_assets.postgres.steps.materializations import tell, version_metadata
from fraud_assets.postgres.steps.splitting import by_partition
from fraud_assets.postgres.storage.models import load_model, store_model
from fraud_assets.postgres.storage.reading import Which


class PostgresModelIOManager(dg.ConfigurableIOManager):
    """Stores any picklable object as one version of a partition.

    Output metadata: `volatile` (attributes that measure the run, such as seconds: kept and signed beside the payload,
    and left out of the content hash) and `archived_versions` (as for tables). Input metadata: `missing` ("error" or
    "empty": None is loaded then) and `window`, as for tables. A reader without partitions of its own, and one with an
    `AllPartitionMapping`, gets a dict of partition key to model with all that exist.
    """

    postgres: dg.ResourceDependency[PostgresResource]
    signing_key: str = Field(default="", description="signs what is stored, and checks what is loaded; use dg.EnvVar")
    signing_key_file: str = Field(default="", description="the file that holds the key, instead of signing_key")
    archived_versions: int = Field(default=3, ge=0)
    pinned_libraries: list[str] = Field(
        default=["scikit-learn"], description="a stored model loads only under their versions"
    )

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Store what the asset returned as the current version of each partition of the run."""
        with as_failures():
            check_is_asset(context)
            volatile = volatile_attributes(context)
            own = archived_versions(context)
            keys = output_partitions(context)
            provenance = origins(context, keys)
            hashes = {}
            for key, model in _models(obj, keys).items():
                started = time.monotonic()
                with self.postgres.connect() as connection:
                    version = store_model(
                        connection,
                        asset_name(context.asset_key),
                        key,
                        model,
                        signing_key=self._key(),
                        origin=replace(provenance[key], facts=facts(context, key)),
                        volatile=volatile,
                        libraries=self.pinned_libraries,
                        keep=self.archived_versions if own is None else own,
                    )
                hashes[key] = version.content_hash
                tell(context, key, version_metadata(version, time.monotonic() - started, seen_for(context, key)), keys)
            context.step_context.set_data_version(context.asset_key, dg.DataVersion(combined_hash(hashes)))

    def load_input(self, context: dg.InputContext) -> object:
        """The model of the one partition asked for; for a window, several or all, a dict of partition key to model."""
        with as_failures():
            check_is_asset(context)
            asset, ask = asset_name(context.asset_key), wanted(context)
            if which(context) is not Which.CURRENT:
                raise PostgresStorageError(
                    f"An input's metadata asks for the first version of {asset}, which is a model; only tables keep "
                    "theirs for good. Leave version out."
                )
            keys = all_partitions(context, self.postgres.stored_row_counts(asset)) if ask.keys is None else ask.keys
            loaded = {}
            for key in keys:
                try:
                    with self.postgres.connect() as connection:
                        version, model = load_model(
                            connection,
                            asset,
                            key,
                            signing_key=self._key(),
                            libraries=self.pinned_libraries,
                        )
                except PartitionMissing:
                    if key in ask.required:
                        raise
                    continue
                note_seen(context, [version], ask)
                loaded[key] = model
            return loaded.get(keys[0]) if ask.is_single else loaded

    def _key(self) -> bytes:
        """The key. Read for each use, so that one which is changed counts at once; never put into an environment."""
        if not self.signing_key_file:
            return self.signing_key.encode()
        try:
            return Path(self.signing_key_file).read_bytes().strip()
        except OSError as error:
            raise PostgresStorageError(
                f"The signing key's file {self.signing_key_file} cannot be read ({error.strerror}); put it there."
            ) from error


def _models(value: object, partition_keys: list[str]) -> Mapping[str, object]:
    """The models by partition. One that is a dict itself is told from a dict of models by its keys."""
    if partition_keys == [UNPARTITIONED]:
        return {UNPARTITIONED: value}
    if len(partition_keys) == 1 and not (isinstance(value, Mapping) and set(value) == set(partition_keys)):
        return {partition_keys[0]: value}
    return by_partition(value, partition_keys)
