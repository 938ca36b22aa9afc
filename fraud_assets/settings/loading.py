"""Reading the settings of a process, and the sentence that says what is wrong with one."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError as UnreadableVariable

from fraud_assets.settings.root import CONFIG_FILE, CONFIG_VARIABLE, PREFIX, Settings, config_file
from fraud_assets.settings.sources import CreditcardSource, FilesSource, LabelFiles


class SettingsError(Exception):
    """A key that does not exist, or a value that is not allowed; the message names both and what is allowed."""


def load_settings(**overrides: Any) -> Settings:
    """Settings from the file and the environment, with relative paths made absolute from the file's folder.

    Raises `SettingsError` with one line for each key that is unknown and each value that is not allowed.
    """
    file = config_file()
    if file is not None and not file.is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which is no file; create it or unset {CONFIG_VARIABLE}.")
    unknown = list(_unknown_variables(os.environ))
    if unknown:
        raise SettingsError("\n".join(unknown))
    try:
        settings = Settings(**overrides)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error))) from error
    except UnreadableVariable as error:
        raise SettingsError(f"{error}: a list or table in a FRAUD_* variable is written as JSON.") from error
    return _with_absolute_paths(settings, file.parent if file else Path.cwd())


def _with_absolute_paths(settings: Settings, base: Path) -> Settings:
    def absolute(path: Path) -> Path:
        return base / path.expanduser()

    changes: dict[str, Any] = {"home": absolute(settings.home)}
    source = settings.source
    if isinstance(source, FilesSource):
        changes["source"] = source.model_copy(update={"folder": absolute(source.folder)})
    elif isinstance(source, CreditcardSource):
        changes["source"] = source.model_copy(update={"path": absolute(source.path)})
    for name in ("signing_key_file", "pseudonym_key_file"):
        path = getattr(settings, name)
        if path is not None:
            changes[name] = absolute(path)
    if settings.alerts.webhook_file is not None:
        file = absolute(settings.alerts.webhook_file)
        changes["alerts"] = settings.alerts.model_copy(update={"webhook_file": file})
    if isinstance(settings.labels, LabelFiles):
        changes["labels"] = settings.labels.model_copy(update={"folder": absolute(settings.labels.folder)})
    files = ("ca_file", "certificate_file", "key_file")
    given = {name: absolute(file) for name in files if (file := getattr(settings.dask, name)) is not None}
    changes["dask"] = settings.dask.model_copy(update=given)
    return settings.model_copy(update=changes)


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each `FRAUD_*` variable that sets nothing: a misspelt name must not pass in silence."""
    known = set(_variable_names(Settings, PREFIX)) | {CONFIG_VARIABLE}
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            yield f"{name} is not a setting; the settings are {', '.join(sorted(known))}."


def _variable_names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        variable = prefix + (field.alias or name).upper()
        yield variable
        for section in _sections(field.annotation):
            yield from _variable_names(section, variable + "__")


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections(argument)


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        # A discriminated union puts the kind into the location: source.files.folder is the user's source.folder.
        location = [str(part) for part in problem["loc"]]
        if len(location) > 2 and location[0] in {"source", "labels"}:
            del location[1]
        if not location:  # of several keys together; the message names them
            yield problem["msg"].removeprefix("Value error, ")
            continue
        key = ".".join(location)
        variable = PREFIX + "__".join(location).upper()
        if problem["type"] == "extra_forbidden":
            yield f"{key} is not a setting; remove it from {CONFIG_FILE}, or correct its name."
        elif problem["type"] == "missing":
            yield f"{key} is not set; set it in {CONFIG_FILE} or as {variable}."
        elif problem["type"] == "union_tag_invalid":
            context = problem["ctx"]
            yield f"{key}.kind = {context['tag']!r} is not allowed; it must be one of {context['expected_tags']}."
        else:
            message = problem["msg"].removeprefix("Value error, ")
            shown = "" if _is_secret(key) or isinstance(problem["input"], Mapping) else f" = {problem['input']!r}"
            yield f"{key}{shown} is not allowed: {message[0].lower()}{message[1:]} (set as {key} or {variable})."


def _is_secret(key: str) -> bool:
    return key.endswith(("url", "key", "webhook"))
