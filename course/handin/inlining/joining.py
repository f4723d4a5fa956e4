"""Which helpers notebooks need, what each is called where they stand together, and the cells that come of it."""

import builtins
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import libcst as cst

from course.handin.inlining.modules import Definition, External, Meaning, core_modules, file_of, load, parts_of, resolve
from course.handin.inlining.notebooks import Notebook, meanings_in, read
from course.handin.inlining.rewriting import rewritten_cells
from course.handin.inlining.writing import Section, import_lines, sections_of


@dataclass(frozen=True)
class StandAlone:
    """Notebooks without their helpers, and the helpers that they need."""

    imports: str
    sections: list[Section]
    cells: list[list[str | None]]  # for each notebook its cells; None where nothing is left of one
    own: list[str]  # the student's definitions that took a helper's place


def join(notebooks: Sequence[tuple[str, Sequence[str]]], modules: Sequence[str]) -> StandAlone:
    """Free notebooks from the helpers.

    Args:
        notebooks: titles, and the sources of their code cells.
        modules: the assignment's own modules (``toy_vae``), whose names a student's definitions stand for first.

    Raises:
        ValueError: code that does not parse, or an import that does not say which names it brings.
    """
    nbs = [read(title, sources) for title, sources in notebooks]
    meanings_of = [meanings_in(nb) for nb in nbs]
    own = _own(nbs, [f"helpers.{module}" for module in modules])
    needs = _closure(_all(meanings_of), own)
    names = _names(nbs, needs, meanings_of, own)
    _check_builtins(nbs, needs)
    cells = [rewritten_cells(nb, meanings, names) for nb, meanings in zip(nbs, meanings_of, strict=True)]
    externals = [m for m in needs if isinstance(m, External)]
    if any(any(nb.reaches.values()) for nb in nbs):
        externals.append(External("types", "SimpleNamespace", "SimpleNamespace"))
    imports = import_lines(externals, names)
    return StandAlone(imports, sections_of(needs, names, modules), cells, sorted(d.name for d in own))


def used(notebooks: Sequence[tuple[str, Sequence[str]]]) -> set[Definition]:
    """Collect the helpers that notebooks use, directly or through others; arguments and errors as :func:`join`."""
    meanings = _all([meanings_in(read(title, sources)) for title, sources in notebooks])
    return {meaning for meaning in _closure(meanings, set()) if isinstance(meaning, Definition)}


def _all(meanings_of: list[dict[str, Meaning]]) -> list[Meaning]:
    return list(chain.from_iterable(meanings.values() for meanings in meanings_of))


def _own(nbs: list[Notebook], modules: list[str]) -> set[Definition]:
    """Collect the helpers in whose place a definition of the student's own stands."""
    candidates = [*(module for module in modules if file_of(module)), *core_modules()]
    names = set[str]().union(*(nb.defines for nb in nbs))
    own = set()
    for name in names:
        module = next((m for m in candidates if load(m).index(name) is not None), None)
        if module and not name.startswith("_"):
            own.add(Definition(module, name))
    return own


def _closure(start: Iterable[Meaning], own: set[Definition]) -> set[Meaning]:
    """Collect all that some helpers need; what the student defined needs nothing of ours."""
    needs: set[Meaning] = set()
    pending = list(start)
    while pending:
        meaning = resolve(pending.pop())
        if meaning in needs or meaning in own:
            continue
        needs.add(meaning)
        if isinstance(meaning, Definition):
            statement = load(meaning.module).statement(meaning.name)
            siblings = [Definition(meaning.module, name) for name in statement.binds]
            pending += [*siblings, *(m for _, m in statement.uses)]
    return needs


def _names(
    nbs: list[Notebook], needs: set[Meaning], meanings_of: list[dict[str, Meaning]], own: set[Definition]
) -> dict[Meaning, str]:
    """Decide what each is called in the joined notebook: its plain name where nothing else claims that."""
    plain = {m: m.name if isinstance(m, Definition) else m.local for m in [*needs, *own]}
    locals_ = _grouped(meanings_of)
    reserved = set[str]().union(*(nb.binds | nb.reaches.keys() for nb in nbs))
    reserved |= {name for name, some in locals_.items() if len(some) > 1 or {plain[m] for m in some} != {name}}
    outside = _grouped([dict(nb.externals) for nb in nbs])
    claims: dict[str, list[Meaning]] = {}
    for meaning in sorted(needs, key=_rank(_all(meanings_of))):
        claims.setdefault(plain[meaning], []).append(meaning)
    names: dict[Meaning, str] = {meaning: meaning.name for meaning in own}
    in_use = set(claims) | reserved | set(outside)
    for name, meanings in claims.items():
        for i, meaning in enumerate(meanings):
            elsewhere = outside.get(name, set()) - {meaning}
            is_free = i == 0 and name not in reserved and not elsewhere
            names[meaning] = name if is_free else _long(name, meaning.module, in_use)
            in_use.add(names[meaning])
    return names


def _long(name: str, module: str, in_use: set[str]) -> str:
    long = f"{module.rsplit('.', 1)[-1]}_{name.lstrip('_')}"
    while long in in_use:
        long += "_"
    return long


def _grouped(dictionaries: Sequence[dict[str, Any]]) -> dict[str, set[Any]]:
    groups: dict[str, set[Any]] = {}
    for dictionary in dictionaries:
        for key, value in dictionary.items():
            groups.setdefault(key, set()).add(value)
    return groups


def _rank(imported: list[Meaning]) -> Callable[[Meaning], tuple]:
    """Say who gets a plain name first: what the notebooks import, then other modules' imports, then private parts."""
    return lambda m: (m not in imported, isinstance(m, Definition), tuple(map(str, m)))


def _check_builtins(nbs: list[Notebook], needs: set[Meaning]) -> None:
    for nb in nbs:
        for name in sorted(nb.binds & set(dir(builtins))):
            user = next((m for m in needs if isinstance(m, Definition) and _mentions(m, name)), None)
            if user is not None:
                raise ValueError(
                    f"{nb.title} gives {name}, which is Python's own, another meaning, and {user.name} of "
                    f"{user.module} uses it: give yours another name"
                )


def _mentions(definition: Definition, name: str) -> bool:
    parts = chain.from_iterable(map(parts_of, load(definition.module).statement(definition.name).nodes))
    return any(isinstance(part, cst.Name) and part.value == name for part in parts)
