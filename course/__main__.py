"""``python -m course VERB``, installed as ``vae-course VERB``: argument parsing only.

Each verb calls one plain function, which is imported when the verb is used: ``validate`` and ``grade`` start without
torch.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
Notebooks = Annotated[list[str] | None, typer.Argument(help="Names or numbers (04); all of them where none is given.")]
EXTRA = "pip install 'vae-solutions[course]', or pip install -e '.[course]' in a clone"


@contextmanager
def one_sentence(verb: str, interrupted: str = "interrupted") -> Iterator[None]:
    """End with one sentence, and no traceback, on what a user can mend."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("", "course", "helpers"):
            raise
        raise SystemExit(f"{verb}: the package {error.name} is missing: {EXTRA}") from error
    except (ValueError, OSError) as error:
        from course.notebooks.visible import visible_lines

        raise SystemExit(visible_lines(f"{verb}: {error}")) from error
    except KeyboardInterrupt as stop:
        raise SystemExit(f"{verb}: {stop.args[0] if stop.args else interrupted}") from None


def key_of(assignment: str | None) -> str | None:
    """Return ``a1`` for ``a1``, ``A1`` and ``1``; None for None.

    Raises:
        ValueError: There is no such assignment.
    """
    from course.assignments import find

    return None if assignment is None else find(assignment).key


@app.callback()
def course() -> None:
    """Run and check the VAE course's notebooks, hand them in, hand them out, and grade them."""
    print_what_can_be(sys.stdout, sys.stderr)


def print_what_can_be(*streams: Any) -> None:
    """Let streams print a question mark for what their encoding lacks: Windows' has no Greek letters and no ticks."""
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@app.command()
def run(
    notebooks: Notebooks = None,
    inplace: Annotated[bool, typer.Option(help="Write into the notebooks and student_figures/expected.")] = False,
    quick: Annotated[bool, typer.Option(help="Shrink budgets to a minute or two for all: for developing.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Notebooks at a time; two on a machine of two cores.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the notebooks and stop.")] = False,
) -> None:
    """Execute notebooks; copies go to executed/, figures to student_figures/."""
    with one_sentence("run"):
        from course.regression import run as runner

        if list_:
            runner.print_names(notebooks or [])
            return
        status = runner.run_and_print(notebooks or [], inplace=inplace, quick=quick, jobs=jobs)
    raise typer.Exit(status)


@app.command()
def check(
    notebooks: Notebooks = None,
    figures_update: Annotated[bool, typer.Option(help="Make figures that differ the expected ones.")] = False,
    workers: Annotated[int | None, typer.Option("-n", help="Processes that share the notebooks; 0: this one.")] = None,
    results: Annotated[Path | None, typer.Option(help="Where the report goes; executed/check if not given.")] = None,
) -> None:
    """Execute notebooks under nbval and compare what they print and show with what is stored."""
    with one_sentence("check", "interrupted; nothing was compared beyond what is listed above"):
        from course.regression import check as regression

        status = regression.check(notebooks or [], update=figures_update, workers=workers, results=results)
    raise typer.Exit(status)


@app.command()
def data(fetch: Annotated[bool, typer.Option(help="Download what is missing.")] = False) -> None:
    """Say which images are here, from where, and whether their md5 sums are right."""
    with one_sentence("data"):
        from course.notebooks import images

        status = images.print_status(fetch)
    raise typer.Exit(status)


@app.command()
def submit(
    first: Annotated[str, typer.Option(help="First name, the first one only.")],
    assignment: Annotated[str, typer.Option(help="a1 to a5; A1 and 1 mean a1.")],
    last: Annotated[str | None, typer.Option(help="Surname; people of one name leave it out.")] = None,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path(),
    notebook: Annotated[
        list[Path] | None, typer.Option(help="Your notebooks, in order; else the repository's.")
    ] = None,
    run: Annotated[bool, typer.Option(help="Run the joined notebook, or keep the outputs that are stored.")] = True,
    force: Annotated[bool, typer.Option(help="Overwrite an existing file.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Show the file's name and stop.")] = False,
) -> None:
    """Write the one notebook to hand in: self-contained, executed, checked, called max_mustermann_a1.ipynb."""
    with one_sentence("submit", "interrupted; nothing was written"):
        from course.assignments import find
        from course.inbox import names

        key = find(assignment).key
        if dry_run:
            print(names.file_name(first, last or first, key))
            return
        from course.handin import submit as handin

        with handin.progress() as on_cell:
            submission = handin.submit(
                first, last, key, out=out, notebooks=notebook or [], execute=run, force=force, on_cell=on_cell
            )
        print(handin.summary(submission))


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Finished notebooks, or folders of them.")],
    assignment: Annotated[str | None, typer.Option(help="a1 to a5; else each file's name says it.")] = None,
) -> None:
    """Say what is missing before notebooks can be handed in."""
    with one_sentence("validate"):
        from course.handin import validate as validation

        key = key_of(assignment)
        results = [(file, validation.validate(file, key)) for file in validation.notebooks_in(files)]
        print("\n\n".join(validation.report(file, remarks) for file, remarks in results))
        if len(results) > 1:
            print(f"\n{validation.summary(results)}")
    raise typer.Exit(int(any(remark.problem for _, remarks in results for remark in remarks)))


@app.command()
def release(
    folder: Annotated[Path, typer.Argument(help="A new folder, or a git clone of an older version.")],
    assignment: Annotated[str | None, typer.Option(help="a1 to a5; else all.")] = None,
    single_file: Annotated[bool, typer.Option(help="One notebook an assignment, which needs nothing else.")] = False,
    url: Annotated[str | None, typer.Option(help="Where students get it: https://github.com/COURSE/NAME.")] = None,
) -> None:
    """Write the student version: tasks open, answers and outputs gone, checks kept."""
    with one_sentence("release"):
        from course import paths
        from course.handout import release as handout

        paths.clone()
        print(handout.summary(handout.release(folder, key_of(assignment), url, single=single_file)))


Paths = Annotated[list[str], typer.Argument(help="What was downloaded: folders, zips, notebooks.")]
LAYOUT = "auto; or flat (Sciebo), moodle, ilias, canvas, blackboard, folders (one a person)."
Roster = Annotated[Path | None, typer.Option(help="A table of who takes the course, by names or numbers.")]


@app.command()
def collect(
    paths: Paths,
    assignment: Annotated[str | None, typer.Option(help="a1 to a5; else names and contents say it.")] = None,
    layout: Annotated[str, typer.Option(help=LAYOUT)] = "auto",
    roster: Roster = None,
) -> None:
    """Say what grade would grade, and what it would leave out and why; nothing is written."""
    with one_sentence("collect"):
        from course.inbox import listing

        print(listing.listing(paths, layout, key_of(assignment), roster))


@app.command()
def decide(
    person: Annotated[str, typer.Argument(help="A name in any spelling, a number, or a file as grades.csv lists it.")],
    assignment: Annotated[str, typer.Argument(help="a1 to a5.")],
    task: Annotated[str, typer.Argument(help="A task, such as B3, or all.")],
    verdict: Annotated[str, typer.Argument(help="PASS, FAIL or LOOK.")],
    because: Annotated[str, typer.Option(help="Why; the student reads it.")] = "",
    out: Annotated[Path, typer.Option(help="The folder that grade wrote.")] = Path("grades"),
) -> None:
    """Decide by hand: the next grade puts it on top of its own verdict, for as long as this file counts."""
    with one_sentence("decide"):
        from course.inbox import decisions
        from course.notebooks.visible import visible

        made = decisions.decide(out, person, key_of(assignment) or "", task, verdict, because)
        print(f"{visible(made.text)}: written into {out / decisions.FILE}; grade again to see it everywhere")


@app.command()
def grade(
    paths: Paths,
    assignment: Annotated[str | None, typer.Option(help="a1 to a5; else each file's name says it.")] = None,
    rerun: Annotated[bool, typer.Option(help="Run each again in a sandbox and try its functions.")] = False,
    workers: Annotated[int, typer.Option(help="Processes; all processors where 0.")] = 0,
    engine: Annotated[str, typer.Option(help="local, or dask for an existing cluster.")] = "local",
    scheduler: Annotated[str | None, typer.Option(help="The dask cluster's address.")] = None,
    out: Annotated[Path, typer.Option(help="Where verdicts, grades.csv, feedback and index.html go.")] = Path("grades"),
    seconds: Annotated[float, typer.Option(help="Wall clock of one rerun.")] = 600.0,
    without_sandbox: Annotated[bool, typer.Option(help="Rerun without bubblewrap: with your files in reach.")] = False,
    layout: Annotated[str, typer.Option(help=LAYOUT)] = "auto",
    delimiter: Annotated[str, typer.Option(help="Of grades.csv and students.csv; ';' for a German Excel.")] = ",",
    roster: Roster = None,
    deadline: Annotated[str | None, typer.Option(help="'2026-11-20 23:59'; later files are marked.")] = None,
    feedback_zip: Annotated[Path | None, typer.Option(help="Write feedback for all, as the platform takes it.")] = None,
    worksheet: Annotated[Path | None, typer.Option(help="Moodle's grading worksheet, to be filled in.")] = None,
) -> None:
    """Grade a class: PASS, FAIL or LOOK a task, with reasons."""
    with one_sentence("grade", "interrupted; verdicts that were written are kept, call again for the rest"):
        from course.grading import grade as grading

        tell = grading.Telling(layout, delimiter, roster, deadline, feedback_zip, worksheet)
        started, options = (
            time.monotonic(),
            grading.Options(key_of(assignment), rerun, seconds, without_sandbox=without_sandbox),
        )
        verdicts = grading.grade(paths, out, options, workers=workers, engine=engine, scheduler=scheduler, tell=tell)
        print(f"{grading.summary(verdicts, started)}; see {out / 'index.html'}")


bench = typer.Typer(no_args_is_help=True, help="Measure how fast training is, and how far results depend on a seed.")
app.add_typer(bench, name="bench")


@bench.command()
def speed(
    only: Annotated[list[str] | None, typer.Argument(help="Rows whose name holds one of these; else all.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds after the warm-up, a seed each.")] = 5,
    epochs: Annotated[int | None, typer.Option(min=1, help="Trained in a round; each row's own number else.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Rows as JSON on stdout; the table goes to stderr.")] = False,
    growth: Annotated[Path | None, typer.Option(help="Draw how cost grows into this PNG instead.")] = None,
) -> None:
    """Time training beside the assignments' own way, on the images that are here."""
    with one_sentence("bench speed"):
        from course.bench import command

        if growth is not None:
            command.draw_growth(growth)
        else:
            command.print_rows(only or [], rounds, epochs, as_json=json_)


@bench.command()
def quality(
    target: Annotated[float, typer.Option(help="Validation -ELBO in nats at which the clock stops.")] = 95.0,
    most: Annotated[int, typer.Option(min=1, help="Epochs that the assigned way gets at most.")] = 20,
) -> None:
    """Time the convolutional VAE until it is good: as assigned, and as notebook 05 trains it."""
    with one_sentence("bench quality"):
        from course.bench import command

        command.print_quality(target, most)


@bench.command()
def seeds(
    notebooks: Annotated[list[str] | None, typer.Argument(help="Names or numbers: 03_swiss_roll, 03.")] = None,
    others: Annotated[int, typer.Option(min=1, help="Seeds beside the notebook's own.")] = 4,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 1,
    starts: Annotated[int, typer.Option(min=1, help="Without a notebook: initialisations of the toy VAE.")] = 1000,
    trainings: Annotated[int, typer.Option(min=0, help="Without a notebook: trainings of it, on each set.")] = 100,
) -> None:
    """Run whole notebooks with several seeds; write what their claims measured into helpers/claims.

    Without a notebook: how many seeds of the toy VAE start or end badly.
    """
    if not notebooks:
        with one_sentence("bench seeds"):
            from course.bench.starts import print_starts

            raise typer.Exit(print_starts(starts, trainings))
    with one_sentence("bench seeds", "interrupted; the claims of the notebooks before this one are written"):
        from course.bench import seeds as spread
        from course.paths import notebook_paths

        for path in notebook_paths(notebooks):
            print(f"{path.stem}, {others + 1} seeds", flush=True)
            for sentence in spread.measure(path.stem, others, jobs):
                print(f"    {sentence}")


if __name__ == "__main__":
    app()
