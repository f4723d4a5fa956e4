"""``python -m course VERB``: argument parsing only; every verb is one plain function elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
Notebooks = Annotated[list[str] | None, typer.Argument(help="Names or numbers (04); all of them where none is given.")]


@contextmanager
def told(verb: str, interrupted: str = "interrupted") -> Iterator[None]:
    """End with one sentence, and no traceback, on what a user can mend."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise SystemExit(f"{verb}: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit(f"{verb}: {interrupted}") from None


@app.callback()
def helpers() -> None:
    """Run and check the VAE course's notebooks."""


@app.command()
def run(
    notebooks: Notebooks = None,
    inplace: Annotated[bool, typer.Option(help="Write into the notebooks and student_figures/expected.")] = False,
    quick: Annotated[bool, typer.Option(help="Shrink budgets to a minute or two for all: for developing.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Notebooks at a time; two on a machine of two cores.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the notebooks and stop.")] = False,
) -> None:
    """Execute notebooks; copies go to executed/, figures to student_figures/."""
    from course import paths
    from course.regression import run as runner

    console = Console()
    with told("run"):
        if list_:
            for path in paths.notebook_paths(notebooks or []):
                console.print(path.stem)
            return
        start = time.perf_counter()
        try:
            outcomes = runner.run(notebooks or [], inplace=inplace, quick=quick, console=console, jobs=jobs)
        except runner.Interrupted as stop:
            done = ", ".join(o.notebook.stem for o in stop.outcomes) or "none"
            left = ", ".join(p.stem for p in stop.left)
            raise SystemExit(f"run: interrupted. Finished, and kept: {done}. Not finished: {left}.") from None
    took = time.perf_counter() - start
    console.print(runner.summary(outcomes, took, paths.NOTEBOOKS if inplace else paths.EXECUTED))
    for outcome in outcomes:
        if outcome.failure:
            console.rule(f"{outcome.notebook.stem} failed")
            console.print(outcome.failure, markup=False, highlight=False)
    raise typer.Exit(int(any(o.failure for o in outcomes)))


@app.command()
def check(
    notebooks: Notebooks = None,
    figures_update: Annotated[bool, typer.Option(help="Make figures that differ the expected ones.")] = False,
    workers: Annotated[int | None, typer.Option("-n", help="Processes that share the notebooks; 0: this one.")] = None,
    results: Annotated[Path | None, typer.Option(help="Where the report goes; executed/check if not given.")] = None,
) -> None:
    """Execute notebooks under nbval and compare what they print and show with what is stored."""
    from course.regression import check as regression

    with told("check", "interrupted; nothing was compared beyond what is listed above"):
        status = regression.check(notebooks or [], update=figures_update, workers=workers, results=results)
    raise typer.Exit(status)


@app.command()
def data(fetch: Annotated[bool, typer.Option(help="Download what is missing.")] = False) -> None:
    """Say which images are here, from where, and whether their md5 sums are right."""
    from helpers.core import data as images

    console, sound = Console(), True
    for name in get_args(images.Name):
        reason = images.fetch(name) if fetch else None
        found = images.status(name)
        sound &= found.problem is None
        console.print(f"{found.title}: {found.folder} ({found.files})", soft_wrap=True, highlight=False)
        verdict = "genuine, every md5 sum is right" if found.problem is None else reason or found.problem
        console.print(f"  {verdict}", soft_wrap=True, highlight=False, markup=False)
    if not sound:
        console.print(
            "Notebooks whose images are missing run on an offline stand-in. To have the genuine ones: "
            "python -m course data --fetch, or set DATA_ROOT to a folder that holds MNIST/raw and FashionMNIST/raw.",
            soft_wrap=True,
        )
    raise typer.Exit(int(not sound))


@app.command()
def submit(
    first: Annotated[str, typer.Option(help="First name, the first one only.")],
    last: Annotated[str, typer.Option(help="Surname.")],
    assignment: Annotated[str, typer.Option(help="a1 to a5.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path(),
    notebook: Annotated[
        list[Path] | None, typer.Option(help="Your notebooks, in order; else the repository's.")
    ] = None,
    run: Annotated[bool, typer.Option(help="Run the joined notebook, or keep the outputs that are stored.")] = True,
    force: Annotated[bool, typer.Option(help="Overwrite an existing file.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Show the file's name and stop.")] = False,
) -> None:
    """Write the one notebook to hand in: self-contained, executed, checked, called max_mustermann_a1.ipynb."""
    from course.handin import submit as submission
    from course.inbox import names

    console = Console()
    with told("submit", "interrupted; nothing was written"):
        if dry_run:
            console.print(names.file_name(first, last, assignment), highlight=False)
            return
        with submission.progress(console) as on_cell:
            done = submission.submit(
                first, last, assignment, out=out, notebooks=notebook or [], execute=run, force=force, on_cell=on_cell
            )
    console.print(submission.summary(done), markup=False, highlight=False)


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="A finished notebook, made with submit or by hand.")],
    assignment: Annotated[str | None, typer.Option(help="a1 to a5; else the file's name says it.")] = None,
) -> None:
    """Say what is missing before a notebook can be handed in."""
    from course.handin import validate as validation

    with told("validate"):
        findings = validation.validate(file, assignment)
    Console().print(validation.report(file, findings), markup=False, highlight=False)
    raise typer.Exit(int(any(f.problem for f in findings)))


@app.command()
def release(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder to write into.")],
    assignment: Annotated[str | None, typer.Option(help="a1 to a5; else all.")] = None,
) -> None:
    """Write the student version: tasks open, answers and outputs gone, expected figures and checks kept."""
    from course.handout import release as releasing

    with told("release"):
        released = releasing.release(folder, assignment)
    Console().print(releasing.summary(released), markup=False, highlight=False)


@app.command()
def grade(
    paths: Annotated[list[str], typer.Argument(help="Submitted notebooks, or folders of them.")],
    assignment: Annotated[str | None, typer.Option(help="a1 to a5; else each file's name says it.")] = None,
    rerun: Annotated[bool, typer.Option(help="Run each again in a sandbox and try its functions.")] = False,
    workers: Annotated[int, typer.Option(help="Processes; all processors where 0.")] = 0,
    engine: Annotated[str, typer.Option(help="loky, or dask for an existing cluster.")] = "loky",
    scheduler: Annotated[str | None, typer.Option(help="The dask cluster's address.")] = None,
    out: Annotated[Path, typer.Option(help="Where verdicts, grades.csv, feedback and index.html go.")] = Path("grades"),
    seconds: Annotated[float, typer.Option(help="Wall clock of one rerun.")] = 600.0,
) -> None:
    """Grade a class: PASS, FAIL or LOOK a task, with reasons."""
    from course.grading import grade as grading

    console, started = Console(), time.monotonic()
    options = grading.Options(assignment, rerun, seconds)
    with told("grade", "interrupted; verdicts that were written are kept, call again for the rest"):
        verdicts = grading.grade(
            paths, out, options, workers=workers, engine=engine, scheduler=scheduler, console=console
        )
    console.print(f"{grading.summary(verdicts, started)}; see {out / 'index.html'}")


@app.command()
def bench(
    only: Annotated[list[str] | None, typer.Argument(help="Rows whose name holds one of these; else all.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds after the warm-up, a seed each.")] = 5,
    epochs: Annotated[int | None, typer.Option(min=1, help="Trained in a round; each row's own number else.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Rows as JSON on stdout; the table goes to stderr.")] = False,
    growth: Annotated[Path | None, typer.Option(help="Draw how cost grows into this PNG instead.")] = None,
) -> None:
    """Time training beside the assignments' own way, on the images that are here."""
    import json

    from course.bench import bench as measuring
    from helpers.core.data import load_images
    from helpers.core.files import write_whole
    from helpers.notebook import render

    console = Console(stderr=json_, width=None if sys.stdout.isatty() else 180)
    with told("bench"):
        mnist = load_images("mnist").to(measuring.best_device())
        if growth is not None:
            write_whole(growth, render(measuring.growth(mnist), growth.stem))
            return
        fashion = load_images("fashion").to(measuring.best_device())
        rows = measuring.run(mnist, fashion, only or [], rounds, epochs)
    console.print(measuring.table(rows))
    if json_:
        print(json.dumps({"machine": measuring.machine(), "rows": [row._asdict() for row in rows]}, indent=1))


if __name__ == "__main__":
    app()
