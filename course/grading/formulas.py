"""What the source's formulas amount to: the KL divergence and the standard deviation, worked out at a few numbers.

A formula is not run: its arithmetic alone is followed, on plain floats. Sums and means over tensors are left out, so
that a formula may be written in any order, over several lines, with functions or with methods. What holds anything
else says nothing; and a formula that is scaled or subtracted further on says nothing, either.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from course.grading.sources import Sources, identifiers, last_name, walk

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip
ONE: dict[str, Callable[[float], float]] = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "square": lambda x: x * x, "neg": operator.neg,
    "ones_like": lambda _: 1.0, "sum": float, "mean": float, "float": float, "reduce_sum": float, "reduce_mean": float,
}  # fmt: skip
TWO: dict[str, Callable[[float, float], float]] = {
    "pow": operator.pow, "power": operator.pow, "mul": operator.mul, "div": operator.truediv, "add": operator.add,
    "sub": operator.sub, "multiply": operator.mul,
}  # fmt: skip
REDUCTIONS = {"sum", "mean", "reduce_sum", "reduce_mean"}
MODULES = {"torch", "np", "numpy", "jnp", "math", "tf", "F", "K", "ops"}
DEEPEST = 30  # of a formula; and names that are followed
POINTS = ((1.0, 0.0), (0.0, 1.0), (0.5, -1.0))  # the mean and the log-variance
CLOSE = 1e-6
SPREADS: tuple[Callable[[float], float], ...] = (  # what the second name may be, of a log-variance
    lambda logvar: logvar, lambda logvar: math.exp(logvar / 2), math.exp, lambda logvar: logvar / 2,
)  # fmt: skip
FACTORS = {-1.0: "kl_sign", 2.0: "kl_no_half", 0.5: "kl_half_twice"}  # times the divergence, by hints
NOISE = {"randn_like", "randn", "standard_normal", "normal", "normal_"}
STD = {"std", "sigma", "sd", "stddev", "stdev"}
LOG_VARIANCE = re.compile(r"log_?_?var|^lv$|^logv$|log_?(?:sigma|s)_?(?:2|sq)|^lv_|log_?variance", re.I)


class Fault(NamedTuple):
    """A formula that is not what it should be."""

    code: str  # of a hint
    cell: int  # the index of its code cell
    source: str


Values = Mapping[str, ast.AST]


def as_written(node: ast.AST) -> str:
    """Return a piece of code as text."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return "a formula nested too deeply to be shown"


class Unknown(Exception):
    """A formula holds more than arithmetic."""


def value_of(node: ast.AST, numbers: Mapping[str, float], values: Values) -> float:
    """Work a formula out, with these numbers for its names and these formulas for others.

    Raises:
        Unknown: it holds something else, or has no value at these numbers.
    """
    return worked_out(node, dict(numbers), values, 0)


def worked_out(node: ast.AST, known: dict[str, float], values: Values, depth: int) -> float:
    """Work a part of a formula out; what is ``known`` grows by each name, which is worked out once only."""
    if depth > DEEPEST:
        raise Unknown
    try:
        return _value(node, lambda inner: worked_out(inner, known, values, depth + 1), known, values)
    except (ArithmeticError, ValueError, TypeError) as error:
        raise Unknown from error


def _value(node: ast.AST, inner: Callable[[ast.AST], float], known: dict[str, float], values: Values) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name) and (node.id in known or node.id in values):
        if node.id not in known:
            known[node.id] = inner(values[node.id])
        return known[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -inner(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return float(OPERATORS[type(node.op)](inner(node.left), inner(node.right)))
    if isinstance(node, ast.Call):
        arguments, name = arguments_of(node), last_name(node.func)
        if name in ONE and arguments and (len(arguments) == 1 or name in REDUCTIONS):
            return ONE[name](inner(arguments[0]))
        if name in TWO and len(arguments) == 2:
            return float(TWO[name](inner(arguments[0]), inner(arguments[1])))
    raise Unknown


def arguments_of(call: ast.Call) -> list[ast.expr]:
    """Return what a function works on; of a method, its object first."""
    of = call.func.value if isinstance(call.func, ast.Attribute) else None
    is_method = of is not None and not (isinstance(of, ast.Name) and of.id in MODULES) and last_name(of) != "functional"
    return [of, *call.args] if is_method and of is not None else list(call.args)


def assigned(unit: ast.AST) -> dict[str, ast.AST]:
    """Return the formulas of the names that a piece of code assigns once, to themselves alone."""
    values: dict[str, ast.AST] = {}
    several: set[str] = set()
    for node in walk(unit):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            several |= {name} & values.keys()
            values[name] = node.value
        elif isinstance(node, ast.AugAssign):
            several.add(last_name(node.target))
    return {name: value for name, value in values.items() if name not in several}


def free_names(node: ast.AST, values: Values) -> frozenset[str] | None:
    """Return the names that a formula hangs on, once others' formulas stand in their place; None: it is no formula."""
    names: set[str] = set()
    pending, seen = [node], 0
    while pending and seen < DEEPEST * 10:
        one = pending.pop()
        seen += 1
        if isinstance(one, ast.Name):
            if one.id in values and free_names_alone(values[one.id]):
                pending.append(values[one.id])
            elif one.id not in MODULES:
                names.add(one.id)
        elif isinstance(one, ast.Call):
            pending += arguments_of(one)[: 1 if last_name(one.func) in REDUCTIONS else None]
        elif isinstance(one, ast.BinOp | ast.UnaryOp):
            pending += [one.left, one.right] if isinstance(one, ast.BinOp) else [one.operand]
        elif not isinstance(one, ast.Constant):
            return None
    return frozenset(names) if not pending else None


def free_names_alone(node: ast.AST) -> bool:
    """Say whether a name's own formula is arithmetic: then it is followed, else the name stands for itself.

    The formula keeps the answer: many others may name it.
    """
    if ALONE not in node.__dict__:
        node.__dict__[ALONE] = is_arithmetic(node) and not isinstance(node, ast.Name | ast.Constant)
    return node.__dict__[ALONE]


ALONE = " alone"  # no field of a node's


def is_arithmetic(node: ast.AST) -> bool:
    """Say whether a formula has a value where all its names are 1."""
    try:
        names = {inner.id: 1.0 for inner in walk(node) if isinstance(inner, ast.Name) and inner.id not in MODULES}
        value_of(node, names, {})
    except Unknown:
        return False
    return True


def formulas(unit: ast.AST, values: Values, count: int) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Yield the largest formulas of a piece of code that hang on so many names, with these names."""
    inside: set[ast.AST] = set()
    for node in walk(unit):  # from outside inwards
        if node in inside or not isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call):
            continue
        names = free_names(node, values)
        if names is None or len(names) != count:
            continue
        with_numbers = dict.fromkeys(names, 1.0)
        try:
            value_of(node, with_numbers, values)
        except Unknown:
            continue
        inside.update(walk(node))
        yield node, tuple(sorted(names))


# ---------------------------------------------------------------- the divergence


def divergence(mean: float, logvar: float) -> float:
    """Compute the KL of N(mean, exp(logvar)) from N(0, 1), without NumPy: grading from outputs has none."""
    return 0.5 * (math.exp(logvar) + mean * mean - logvar - 1)


def factor_of(node: ast.AST, names: tuple[str, ...], values: Values) -> float | None:
    """Return how many times the KL divergence a formula of two names is, None where it is no multiple of it."""
    for mean, spread in (names, names[::-1]):
        for of in SPREADS:
            ratios = []
            for m, logvar in POINTS:
                try:
                    ratios.append(value_of(node, {mean: m, spread: of(logvar)}, values) / divergence(m, logvar))
                except Unknown:
                    break
            if len(ratios) == len(POINTS) and max(ratios) - min(ratios) < CLOSE and abs(ratios[0]) > CLOSE:
                return ratios[0]
    return None


def divergence_fault(code: Sources) -> Fault | None:
    """Return a formula that is a wrong multiple of the KL divergence, where no right one stands in the notebook."""
    fault = None
    for _, unit, cell in code.units():
        if not identifiers(unit) & {"exp", "log"}:
            continue
        values = assigned(unit)
        for node, names in formulas(unit, values, 2):
            factor = factor_of(node, names, values)
            if factor is None:
                continue
            hint = next((hint for known, hint in FACTORS.items() if abs(factor - known) < CLOSE), None)
            if hint is None or (fault is None and goes_on(unit, node)):
                return None  # right, or right further on
            fault = fault or Fault(hint, cell, as_written(node))
    return fault


def goes_on(unit: ast.AST, formula: ast.AST) -> bool:
    """Say whether a formula, or the name that it is given, is scaled, negated or subtracted in the same code."""
    names = {
        last_name(target)
        for node in walk(unit)
        if isinstance(node, ast.Assign) and any(inner is formula for inner in walk(node.value))
        for target in node.targets
    }
    for node in walk(unit):
        parts: list[ast.AST] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            sides = (node.left, node.right), (node.right, node.left)
            parts = [one for one, other in sides if any(isinstance(inner, ast.Constant) for inner in walk(other))]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            parts = [node.right]
        elif isinstance(node, ast.UnaryOp | ast.AugAssign):
            parts = [node.operand] if isinstance(node, ast.UnaryOp) else [node.target]
        if any(part is formula or (isinstance(part, ast.Name) and part.id in names) for part in parts):
            return True
    return False


# ---------------------------------------------------------------- the standard deviation


def deviation_fault(code: Sources) -> Fault | None:
    """Return where noise is scaled by the variance, or by its logarithm, as far as the source says so."""
    for _, unit, cell in code.units():
        if not identifiers(unit) & {"exp", *NOISE}:
            continue
        values = assigned(unit)
        for node in walk(unit):
            scale = scale_of(node, values)
            hint = deviation_hint(scale, values) if scale is not None else None
            if hint:
                return Fault(hint, cell, as_written(node))
    return None


def scale_of(node: ast.AST, values: Values) -> ast.AST | None:
    """Return what a statement calls a standard deviation, or what an expression multiplies noise by."""
    if isinstance(node, ast.Assign) and last_name(node.targets[0]).lower() in STD:
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for noise, other in ((node.left, node.right), (node.right, node.left)):
            drawn = values.get(noise.id, noise) if isinstance(noise, ast.Name) else noise
            if isinstance(drawn, ast.Call) and last_name(drawn.func) in NOISE:
                return other
    return None


def deviation_hint(scale: ast.AST, values: Values) -> str | None:
    names = free_names(scale, values)
    if names is None or len(names) != 1 or not LOG_VARIANCE.search(name := next(iter(names))):
        return None
    try:
        at = [value_of(scale, {name: number}, values) for number in (0.0, 1.0, -1.0)]
    except Unknown:
        return None
    if all(abs(value - number) < CLOSE for value, number in zip(at, (0.0, 1.0, -1.0), strict=True)):
        return "logvar_as_std"
    right = (1.0, math.e, 1 / math.e)
    return "std_no_half" if all(abs(value - one) < CLOSE for value, one in zip(at, right, strict=True)) else None


# ---------------------------------------------------------------- blends


def is_blend(node: ast.AST) -> bool:
    """Say whether an expression goes from one thing to another: ``(1 - t) * a + t * b``, or ``a + (b - a) * t``."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return False
    sides = [part for part in (node.left, node.right) if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult)]
    factors = [part for side in sides for part in (side.left, side.right)]
    taken = [part for part in factors if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub)]
    ends = [part for part in taken if isinstance(part.left, ast.Constant) and part.left.value == 1]
    shown = {last_name(part) for part in (*factors, node.left, node.right)} - {""}
    if len(sides) == len((node.left, node.right)):
        return any(last_name(end.right) in shown for end in ends)
    return any(last_name(part.right) in shown for part in taken if not isinstance(part.left, ast.Constant))
