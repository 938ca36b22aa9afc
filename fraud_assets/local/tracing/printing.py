"""A trace for a terminal of 100 columns: what happened in the order in which it happened."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo
from textwrap import wrap
from typing import Any

from fraud_assets.local.console import out
from fraud_assets.local.tracing.document import KnownLabels, Made, Model, OwnLabel, Partitions, Score, SourceRow, Trace
from fraud_assets.postgres import Status
from fraud_assets.sources import Delivered

WIDTH = 100
INDENT = 2
KEY = 14
CELL = 47
HASH_CHARACTERS = 12
_PLACES = {"sql": "query on", "simulated": "made by"}
_TEXT_FILES = (".csv", ".csv.gz", ".csv.zst", ".txt", ".txt.gz", ".tsv")
_OF_FILE = {
    Delivered.SAME: "still there, with the content that was read",
    Delivered.CHANGED: "CHANGED since: what is there now has another content",
    Delivered.GONE: "not there any more",
}


def print_trace(trace: Trace, zone: tzinfo, *, full: bool = False) -> None:
    """The whole story; `full` lists every partition that model and features were made from, with its hash."""
    for line in lines(trace, zone, full=full):
        out.print(line, markup=False)


def lines(trace: Trace, zone: tzinfo, *, full: bool = False) -> Iterator[str]:
    yield f"Transaction {trace.transaction_id} of {trace.date}"
    for title, body in (
        ("Source", _source(trace.source)),
        ("As received", _pairs(trace.raw, zone)),
        ("Features", [*_pairs(trace.features, zone), *_computed_from(trace.features_read)]),
        ("Score", _scores(trace, zone)),
        ("Model", _model(trace.model)),
        ("Trained on", _training(trace.model)),
        ("Labels that the model knew", _known(trace.known_labels, zone)),
        ("Labels of this transaction", _own(trace.own_labels, zone)),
        ("Made by", _steps(trace.steps, zone)),
        ("Dagster's runs", _runs(trace)),
        ("What is gone", (line for note in trace.gone for line in _text(note))),
        ("Every partition", _every(trace) if full else ()),
    ):
        shown = list(body)
        if shown:
            yield ""
            yield title
            yield from shown


def _source(source: SourceRow | None) -> Iterator[str]:
    if source is None:
        return
    yield from _line(_PLACES.get(source.kind, "file"), source.origin)
    of = "" if source.rows is None else f" of {source.rows:,}, of which {source.rejected or 0:,} were rejected"
    counted = ", not counting the header" if source.origin.endswith(_TEXT_FILES) else ""
    place = "not kept by the code that stored it" if source.row is None else f"{source.row:,}{of}{counted}"
    yield from _line("row", place)
    if source.fingerprint:
        yield from _line("sha-256", source.fingerprint)
    if source.delivered in _OF_FILE:
        yield from _line("it is", _OF_FILE[Delivered(source.delivered)])


def _computed_from(read: Iterable[Partitions]) -> Iterator[str]:
    for partitions in read:
        yield from _line("computed from", f"{partitions.asset:<18} {_range(partitions)}")


def _scores(trace: Trace, zone: tzinfo) -> Iterator[str]:
    if trace.score is not None:
        yield from _score(trace.score, zone)
    if trace.issued is not None:
        same = trace.score is not None and _numbers(trace.issued) == _numbers(trace.score)
        told = "the same score" if same else _said(trace.issued)
        yield from _line(
            "first issued", f"{told} (version {trace.issued.version}, {_time(trace.issued.stored_at, zone)})"
        )


def _score(score: Score, zone: tzinfo) -> Iterator[str]:
    yield from _line("score", _said(score))
    for number, reason in enumerate(score.reasons, 1):
        yield from _line(f"reason {number}", reason)
    yield from _line("stored", f"{_time(score.stored_at, zone)}, as version {score.version}")


def _said(score: Score) -> str:
    if score.score is None:
        return "none: the model was fitted on rows as late as this one"
    said = f"{score.score:.4f}, rank {score.rank:,} of {score.of:,}, {'an ALERT' if score.is_alert else 'no alert'}"
    return f"{said}, drawn for review" if score.review_sample else said


def _numbers(score: Score) -> tuple[object, ...]:
    return score.score, score.rank, score.is_alert, score.reasons


def _model(model: Model | None) -> Iterator[str]:
    if model is None:
        return
    facts, made = model.facts, model.made
    yield from _line("best model of", f"{made.partition}, version {made.version}{_since(made)}")
    yield from _line(
        "recipe", f"{facts.get('winner', 'unknown')}, its parameters searched on {facts.get('searched_on')}"
    )
    yield from _line("parameters", ", ".join(f"{name} {value}" for name, value in _parameters(facts)))
    yield from _line("decision", str(facts.get("decision", "")))
    yield from _line("in charge", f"since {facts.get('champion_since', made.partition)}")
    if "threshold" in facts:
        yield from _line("threshold", f"{facts['threshold']:.4f}")
    yield from _line("sha-256", made.content_hash)
    yield from _line(
        "signature", "checked: it is as it was signed" if model.signature == "as signed" else model.signature
    )


def _parameters(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in (facts.get("parameters") or {}).items():
        yield name, f"{value:.4g}" if isinstance(value, float) else str(value)


def _training(model: Model | None) -> Iterator[str]:
    if model is None:
        return
    facts = model.facts
    if "training_rows" in facts:
        rows, frauds = facts["training_rows"], facts["training_frauds"]
        yield from _line("rows", f"{rows:,} transactions, {frauds:,} of them frauds")
        yield from _line("from", f"{_instant(facts['trained_from'])} to {_instant(facts['trained_until'])}")
    for name, partitions in (("fitted on", model.fitted_on), ("tuned on", model.tuned_on)):
        if partitions is not None:
            yield from _line(name, f"{partitions.asset:<18} {_range(partitions)}")
    for partitions in model.read:
        if "/" not in partitions.asset:
            yield from _line("also read", f"{partitions.asset:<18} {_range(partitions)}")


def _known(known: KnownLabels | None, zone: tzinfo) -> Iterator[str]:
    if known is None:
        return
    last = "" if known.last_known_at is None else f", the last known at {_time(known.last_known_at, zone)}"
    yield from _line("labels", f"{known.labels:,}, {known.frauds:,} of them frauds{last}")


def _own(own: Iterable[OwnLabel], zone: tzinfo) -> Iterator[str]:
    for label in own:
        kind = f" ({label.kind})" if label.kind else ""
        yield from _line("fraud" if label.label else "genuine", f"known at {_time(label.known_at, zone)}{kind}")
        yield from _line("", "the model knew it" if label.was_known else "not among the labels that the model knew")
    if not own:
        yield from _line("none", "nothing has become known of it so far")


def _steps(steps: Iterable[Made], zone: tzinfo) -> Iterator[str]:
    header = f"{'asset':<37}{'version':>8} {'code':<11} {'content hash':<13}{'run':<9} stored at"
    yield " " * INDENT + header
    for step in steps:
        by = f"as {step.restored_from}" if step.restored_from is not None else step.run_id[:8]
        yield (
            f"{' ' * INDENT}{step.asset:<37}{step.version:>8} {step.code_version or '':<11} "
            f"{step.content_hash[:HASH_CHARACTERS]:<13}{by:<9} {_time(step.stored_at, zone)[:16]}"
        )
        if step.is_superseded:
            yield f"{' ' * (INDENT + 2)}{_since(step).removeprefix(', ')}"


def _since(made: Made) -> str:
    if not made.is_superseded:
        return ""
    today = "no version is current" if made.current_version is None else f"version {made.current_version} is current"
    return f", since then {made.status}: {today}"


def _runs(trace: Trace) -> Iterator[str]:
    for run in trace.runs:
        yield " " * INDENT + (run.url or run.run_id)
        yield from _text(", ".join(run.assets), INDENT + 2)


def _every(trace: Trace) -> Iterator[str]:
    of_model = () if trace.model is None else trace.model.read
    for reader, read in (("features", trace.features_read), ("model", of_model)):
        for partitions in read:
            yield f"{' ' * INDENT}{partitions.asset}, read for the {reader}; sha-256 of all:"
            yield f"{' ' * (INDENT + 2)}{partitions.combined_hash}"
            yield from (" " * (INDENT + 2) + _partition(one) for one in partitions.versions)


def _partition(one: Made) -> str:
    since = "" if one.status == Status.CURRENT else f" {one.status}"
    return f"{one.partition} {one.content_hash} {one.version:>3}{since}"


def _range(partitions: Partitions) -> str:
    days = partitions.first if partitions.count == 1 else f"{partitions.first} … {partitions.last}"
    number = "1 partition" if partitions.count == 1 else f"{partitions.count} partitions"
    superseded = sum(one.status != Status.CURRENT for one in partitions.versions)
    since = f", {superseded} of them superseded since" if superseded else ""
    return f"{days}, {number}, sha-256 {partitions.combined_hash[:HASH_CHARACTERS]}{since}"


def _pairs(values: Mapping[str, Any], zone: tzinfo) -> Iterator[str]:
    """Two pairs of a name and its value on a line, read downwards."""
    cells = [(name, _value(value, zone)) for name, value in values.items()]
    half = (len(cells) + 1) // 2
    for number in range(half):
        pair = cells[number::half] if half else []
        yield (" " * INDENT + "  ".join(f"{_cell(*cell):<{CELL}}" for cell in pair)).rstrip()


def _cell(name: str, value: str) -> str:
    """The value at the right, as far as there is room; a value that is longer takes more."""
    return f"{name}{value:>{max(CELL - len(name), len(value) + 2)}}"


def _value(value: Any, zone: tzinfo) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, datetime):
        return _time(value, zone)
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) else f"{value:.5g}"
    return str(value)


def _line(name: str, text: str) -> Iterator[str]:
    first, *others = wrap(text, WIDTH - INDENT - KEY, break_long_words=False) or [""]
    yield f"{' ' * INDENT}{name:<{KEY}}{first}".rstrip()
    for other in others:
        yield f"{' ' * (INDENT + KEY)}{other}"


def _text(text: str, indent: int = INDENT) -> Iterator[str]:
    yield from (" " * indent + line for line in wrap(text, WIDTH - indent))


def _time(instant: datetime, zone: tzinfo) -> str:
    return instant.astimezone(zone).isoformat(" ", timespec="seconds")


def _instant(written: str) -> str:
    return written.replace("T", " ")


def written(trace: Trace) -> str:
    """The trace as JSON."""
    return json.dumps(trace.as_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
