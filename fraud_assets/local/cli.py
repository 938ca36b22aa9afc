"""The command line. Each command parses, asks another module to do the work, and prints what came of it."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from fraud_assets import __version__
from fraud_assets.local.console import err, out
from fraud_assets.local.errors import sentence


def _day(context: click.Context, parameter: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007  a date has no zone
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no date; write it YYYY-MM-DD, for example 2018-07-20.") from error


def day_option(name: str, *, required: bool = True, help: str) -> Callable[[Any], Any]:  # noqa: A002
    return click.option(f"--{name}", required=required, callback=_day, metavar="YYYY-MM-DD", help=help)


output_option = click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fraud-assets")
@click.option("--debug", is_flag=True, help="Show tracebacks, and everything that Dagster logs.")
def cli(debug: bool) -> None:
    """Turns each day's card transactions into the best fraud model that the labels known by then allow.

    Settings come from fraud.toml in this folder (or $FRAUD_CONFIG) and from FRAUD_* variables.
    """


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The UI's port (default: 3000, or a free one).")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
def up(port: int | None, host: str) -> None:
    """Start the database, Dagster's UI and daemon and the report server, and print the addresses; Ctrl-C stops all."""
    from fraud_assets.local.services import serve

    serve(_workplace(), host, port)


@cli.command()
def stop() -> None:
    """Stop the embedded database that demo and run leave running."""
    from fraud_assets.local.embedded import running
    from fraud_assets.local.embedded import stop as stop_server
    from fraud_assets.local.errors import Refusal
    from fraud_assets.local.leftovers import has_stack
    from fraud_assets.settings import load_settings

    home = load_settings().home
    if has_stack(home):
        raise Refusal(
            f"fraud-assets up runs for {home} and needs its database; end that with Ctrl-C, which stops both."
        )
    was_running = running(home) is not None
    stop_server(home)
    out.print("The embedded PostgreSQL is stopped." if was_running else "No embedded PostgreSQL was running.")


@cli.command()
def demo() -> None:
    """Simulate a history of transactions and run yesterday from raw batch to best model."""
    from fraud_assets.local.demo import run_demo

    run_demo(_workplace())


@cli.command()
@day_option("date", help="The day to run.")
def run(date: date) -> None:
    """Materialize every asset of a day, and the missing history that it needs."""
    from fraud_assets.local.daily import print_day, run_with_history

    workplace = _workplace()
    run_with_history(workplace, date)
    print_day(workplace, date)


@cli.command()
@day_option("from", required=False, help="The first day.")
@day_option("to", required=False, help="The last day.")
@click.option(
    "--select",
    multiple=True,
    metavar="ASSET",
    help="An asset, as the lineage names it, or a selection in Dagster's syntax; repeatable (default: all).",
)
@click.option("--resume", is_flag=True, help="Go on with the newest backfill that is not complete.")
def backfill(select: tuple[str, ...], resume: bool, **days: date | None) -> None:
    """Materialize assets of a range of days: raw batches, labels and features in one run, the others day by day."""
    from fraud_assets.local.backfill.command import resume_backfill, run_backfill

    first, last = days["from"], days["to"]
    if resume and (first or last or select):
        raise click.UsageError("--resume goes on with the days and assets that were asked for; give nothing else.")
    if resume:
        is_complete = resume_backfill(_workplace())
    elif first is None or last is None:
        raise click.UsageError("Give --from and --to, or --resume.")
    else:
        is_complete = run_backfill(_workplace(), first, last, select)
    if not is_complete:
        sys.exit(1)


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The port (default: reports.port, or a free one).")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; there is no login.")
def reports(port: int | None, host: str) -> None:
    """Serve the reports alone, with a role that may only read; Ctrl-C ends it."""
    from fraud_assets.local.report_server import run_reports
    from fraud_assets.settings import load_settings

    run_reports(load_settings(), host, port)


@cli.command()
@day_option("date", help="The day.")
@output_option
def report(date: date, output: Path) -> None:
    """Write a day's report as one HTML file that needs nothing else, to keep or to mail."""
    from fraud_assets.local.report_file import write_report

    size = write_report(_workplace(), date.isoformat(), output)
    out.print(f"The report of {date} ({size / 1e6:,.1f} MB) is in {output}; any browser opens it.")


@cli.command()
@click.argument("asset")
@day_option("date", help="The partition.")
@output_option
def export(asset: str, date: date, output: Path) -> None:
    """Write a table's partition to a CSV or Parquet file."""
    from fraud_assets.local.export import export_table

    rows = export_table(_workplace(), asset, date.isoformat(), output)
    out.print(f"{rows:,} rows of {asset} of {date} are in {output}.")


@cli.command()
@click.argument("asset")
@day_option("date", help="The partition.")
def versions(asset: str, date: date) -> None:
    """List what is stored of an asset's partition: the current version, and those that it has superseded."""
    from fraud_assets.local.versions import print_versions

    print_versions(_workplace(), asset, date.isoformat())


@cli.command()
@click.argument("asset")
@day_option("date", help="The partition.")
@click.option("--version", "number", required=True, type=click.IntRange(1), help="The version, as listed by versions.")
def restore(asset: str, date: date, number: int) -> None:
    """Make an archived version of a table or a model current again; what it replaces is archived."""
    from fraud_assets.local.versions import restore as restore_number

    restored = restore_number(_workplace(), asset, date.isoformat(), number)
    if restored is None:
        out.print(f"Version {number} of {asset} of {date} is the current one already.")
    else:
        out.print(f"Version {number} of {asset} of {date} is current again, as version {restored.version}.")


@cli.command()
@click.option("--input", "input_", type=click.Path(path_type=Path), help="A file of transactions to score.")
@day_option("date", required=False, help="A day of the source to score, instead of a file.")
@day_option("model-date", required=False, help="The day whose best model scores (default: the newest by then).")
@output_option
def score(input_: Path | None, date: date | None, model_date: date | None, output: Path) -> None:
    """Score a file's or a day's transactions with the best model of a day."""
    from fraud_assets.local.scoring import score_day, score_file

    if (input_ is None) == (date is None):
        raise click.UsageError("Give either --input FILE or --date YYYY-MM-DD.")
    workplace = _workplace()
    if input_ is not None:
        scored = score_file(workplace, input_, model_date, output)
    else:
        assert date is not None
        scored = score_day(workplace, date, model_date, output)
    for reason, rows in scored.rejected.items():
        err.print(f"{rows:,} rows were left out: {reason}.", markup=False)
    if scored.seen:
        err.print(f"{scored.seen:,} transactions have no score: the model was fitted on rows as late as they are.")
    out.print(f"{scored.rows:,} transactions, scored by the best model of {scored.model_date}, are in {output}.")


@cli.command()
@click.option("--transaction", required=True, metavar="ID", help="The transaction's id, as the source has it.")
@day_option("date", help="The day of the transaction.")
@click.option("--version", "number", type=click.IntRange(1), help="Of the day's scores (default: the current one).")
@click.option("--full", is_flag=True, help="List every partition that model and features were made from.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it as a document, too.")
def trace(transaction: str, date: date, number: int | None, full: bool, file: Path | None) -> None:
    """Tell the whole story of one score: source row, features, model, labels known, code and runs."""
    from fraud_assets.local.tracing.telling import tell

    tell(_workplace(), transaction, date.isoformat(), number, full=full, file=file)


@cli.group()
def models() -> None:
    """The best models: which there are, what they are, whether they are untouched, and who decides."""


@models.command("list")
def models_list() -> None:
    """One line for each day's best model."""
    from fraud_assets.local.models import print_models

    print_models(_workplace())


@models.command("show")
@day_option("date", help="The day.")
def models_show(date: date) -> None:
    """Everything about a day's best model."""
    from fraud_assets.local.models import print_model

    print_model(_workplace(), date.isoformat())


@models.command("export")
@day_option("date", help="The day.")
@output_option
def models_export(date: date, output: Path) -> None:
    """Write a day's best model to a joblib file, after checking its signature."""
    from fraud_assets.local.models import export_model

    size = export_model(_workplace(), date.isoformat(), output)
    out.print(f"The best model of {date} ({size:,} bytes) is in {output}; load it with joblib.load.")


@models.command("verify")
@day_option("date", required=False, help="The day (default: all).")
def models_verify(date: date | None) -> None:
    """Check the signatures of stored models; nothing is unpickled."""
    from fraud_assets.local.models import verify_models

    checked = verify_models(_workplace(), date.isoformat() if date else None)
    out.print(f"{checked} models are as they were signed.")


@models.command("resign")
@click.option(
    "--old-key-file",
    required=True,
    type=click.Path(path_type=Path),
    help="The file with the key of before.",
)
def models_resign(old_key_file: Path) -> None:
    """Sign all stored models with the key of the settings, after it has been changed; each is checked first."""
    from fraud_assets.local.models import resign

    done = resign(_workplace(), old_key_file)
    out.print(f"{done.changed} models are signed anew; {done.unchanged} had the new signature already.")


reason_option = click.option("--reason", default="", help="Why, for the record.")
from_option = day_option(
    "from", required=False, help="The first day on which it counts (default: the day after the newest best model)."
)


@models.command("approve")
@day_option("date", help="The day whose decision is awaiting_approval.")
@reason_option
def models_approve(date: date, reason: str) -> None:
    """Let the challenger that waits since a day take over, on that day where it is run again and on the next."""
    from fraud_assets.local.overrides import Request, approve

    _overridden(approve(_workplace(), Request(date, reason=reason)))


@models.command("pin")
@day_option("date", help="The day whose best model's recipe stays.")
@from_option
@reason_option
def models_pin(date: date, reason: str, **start: date | None) -> None:
    """Keep the recipe of a day's best model, whatever the challengers do, until models unpin."""
    from fraud_assets.local.overrides import Request, pin

    _overridden(pin(_workplace(), Request(date, start["from"], reason)))


@models.command("unpin")
@from_option
@reason_option
def models_unpin(reason: str, **start: date | None) -> None:
    """End the pin: competition goes on from the recipe that was pinned."""
    from fraud_assets.local.overrides import Request, unpin

    _overridden(unpin(_workplace(), Request(None, start["from"], reason)))


@models.command("rollback")
@day_option("date", help="The day whose best model's recipe is to be the champion again.")
@from_option
@reason_option
def models_rollback(date: date, reason: str, **start: date | None) -> None:
    """Make the recipe of a day's best model the champion again; competition goes on from there."""
    from fraud_assets.local.overrides import Request, roll_back

    _overridden(roll_back(_workplace(), Request(date, start["from"], reason)))


@models.command("overrides")
def models_overrides() -> None:
    """One line for each approval, pin, unpin and rollback: who, when, what, from which day on, and why."""
    from fraud_assets.local.overrides import print_overrides

    print_overrides(_workplace())


def _overridden(override: Any) -> None:
    out.print(f"On record as number {override.number}: {override}.", markup=False)
    out.print(f"It counts for the best models of {override.from_day} and later; those of days before stay as they are.")


@cli.command()
def connection() -> None:
    """Print what a shell needs for psql, pg_dump and pg_restore, for eval; starts the embedded database."""
    from fraud_assets.local.client import shell_lines
    from fraud_assets.settings import load_settings

    for line in shell_lines(load_settings()):
        out.print(line, markup=False)


@cli.command("prepare")
def prepare_database() -> None:
    """As the owner of your own database: make or migrate what is kept in it, and give other roles their rights."""
    from fraud_assets.local.prepare import prepare
    from fraud_assets.settings import load_settings

    for line in prepare(load_settings()):
        out.print(line, markup=False)


@cli.command()
@click.option("--dry-run", is_flag=True, help="Show what would go, and change nothing.")
def prune(dry_run: bool) -> None:
    """Remove what is older, or more, than the settings under retention keep, and Dagster's old events."""
    from fraud_assets.local.prune import print_pruned, prune_workplace

    print_pruned(prune_workplace(_workplace(), dry_run=dry_run))


@cli.command()
@click.option("--customer", required=True, metavar="ID", help="The customer's id, as the source writes it.")
@click.option("--dry-run", is_flag=True, help="Show what is stored of the customer, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(customer: str, dry_run: bool, yes: bool) -> None:
    """Remove a customer from every current and archived version, and from Dagster's own tables and logs."""
    from fraud_assets.local.forgetting.command import forget as forget_customer

    forget_customer(_workplace(), customer, dry_run=dry_run, agreed=lambda question: yes or click.confirm(question))


@cli.command()
def doctor() -> None:
    """Show what is set and what works, and what to do about the rest."""
    from fraud_assets.local.doctor import examine

    if not examine():
        sys.exit(1)


def _workplace() -> Any:
    from fraud_assets.local.database import open_workplace
    from fraud_assets.settings import load_settings

    return open_workplace(load_settings())


def main() -> None:
    """The console script: errors that people can do something about are one sentence and exit code 1."""
    is_debug = "--debug" in sys.argv
    if not is_debug:
        # Warnings of the libraries below are for whoever changes this project, not for whoever runs it.
        warnings.simplefilter("ignore")
        os.environ.setdefault("PYTHONWARNINGS", "ignore")
        # What libraries say to nobody in particular; a command has its own words for what goes wrong.
        logging.getLogger().addHandler(logging.NullHandler())
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as finished:
        sys.exit(finished.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as usage:
        usage.show()
        sys.exit(usage.exit_code)
    except KeyboardInterrupt:
        err.print("Interrupted.")
        sys.exit(130)
    except Exception as error:
        if is_debug:
            traceback.print_exc()
            sys.exit(1)
        said = sentence(error)
        err.print("[red]Error[/]:", end=" ")
        if said is None:
            err.print(f"{type(error).__name__}: {error}", markup=False)
            err.print("This is not an error that was foreseen; fraud-assets --debug shows where it comes from.")
        else:
            err.print(said, markup=False)
        sys.exit(1)
