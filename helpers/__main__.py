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
def check(
    notebooks: Notebooks = None,
    figures_update: Annotated[bool, typer.Option(help="Make figures that differ the expected ones.")] = False,
    workers: Annotated[int, typer.Option("-n", help="Processes that share the notebooks; 0: this one.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Where the report goes; executed/check if not given.")] = None,
) -> None:
    """Execute notebooks under nbval and compare what they print and show with what is stored."""
    from helpers.course import regression

    try:
        raise typer.Exit(regression.check(notebooks or [], update=figures_update, workers=workers, results=results))
    except (ValueError, OSError) as error:
        raise SystemExit(f"check: {error}") from error


if __name__ == "__main__":
    app()
