"""``python -m helpers VERB``: argument parsing only; every verb is one plain function elsewhere."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
Notebooks = Annotated[list[str] | None, typer.Argument(help="Names or numbers (04); all of them where none is given.")]


@app.callback()
def helpers() -> None:
    """Run and check the VAE course's notebooks."""


@app.command()
def run(
    notebooks: Notebooks = None,
    inplace: Annotated[bool, typer.Option(help="Write into the notebooks and student_figures/expected.")] = False,
    quick: Annotated[bool, typer.Option(help="Shrink budgets to about a minute for all: for developing.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the notebooks and stop.")] = False,
) -> None:
    """Execute notebooks; copies go to executed/, figures to student_figures/."""
    from helpers.course import run as runner

    console = Console()
    try:
        if list_:
            for path in runner.find(notebooks or []):
                console.print(path.stem)
            return
        outcomes = runner.run(notebooks or [], inplace=inplace, quick=quick, console=console)
    except (ValueError, OSError) as error:
        raise SystemExit(f"run: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit("run: interrupted; notebooks that had finished are kept") from None
    console.print(runner.summary(outcomes, runner.NOTEBOOKS if inplace else runner.EXECUTED))
    for outcome in outcomes:
        if outcome.failure:
            console.rule(f"{outcome.notebook.stem} failed")
            console.print(outcome.failure, markup=False, highlight=False)
    raise typer.Exit(int(any(o.failure for o in outcomes)))


@app.command()
def check(notebooks: Notebooks = None) -> None:
    """Execute notebooks under nbval and compare what they print with what is stored."""
    from helpers.course import regression

    try:
        raise typer.Exit(regression.check(notebooks or []))
    except ValueError as error:
        raise SystemExit(f"check: {error}") from error


@app.command()
def grade(
    paths: Annotated[list[str], typer.Argument(help="Submitted notebooks, or folders of them.")],
    assignment: Annotated[
        str | None, typer.Option(help="a1, numpy, swiss, conv or fashion; else by file name.")
    ] = None,
    rerun: Annotated[bool, typer.Option(help="Run each again in a sandbox and try its functions.")] = False,
    workers: Annotated[int, typer.Option(help="Processes; all processors where 0.")] = 0,
    engine: Annotated[str, typer.Option(help="loky, or dask for an existing cluster.")] = "loky",
    scheduler: Annotated[str | None, typer.Option(help="The dask cluster's address.")] = None,
    out: Annotated[Path, typer.Option(help="Where verdicts, grades.csv, feedback and index.html go.")] = Path("grades"),
    seconds: Annotated[float, typer.Option(help="Wall clock of one rerun.")] = 600.0,
) -> None:
    """Grade a class: PASS, FAIL or LOOK a task, with reasons."""
    import time

    from helpers.course import grading

    console, started = Console(), time.monotonic()
    options = grading.Options(assignment, rerun, seconds)
    try:
        verdicts = grading.grade(
            paths, out, options, workers=workers, engine=engine, scheduler=scheduler, console=console
        )
    except (ValueError, OSError) as error:
        raise SystemExit(f"grade: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit("grade: interrupted; verdicts that were written are kept, call again for the rest") from None
    console.print(f"{grading.summary(verdicts, started)}; see {out / 'index.html'}")


if __name__ == "__main__":
    app()
