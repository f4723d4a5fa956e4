"""What a formula amounts to, against the same formula run by Python itself; and what is taken for a mistake."""

import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.grading import formulas
from course.grading.formulas import Unknown, deviation_fault, divergence_fault, value_of
from course.grading.sources import Sources
from course.notebooks.reading import Cell


def sources(*cells: str) -> Sources:
    return Sources([Cell(n, source, n, (), "", None, "") for n, source in enumerate(cells, 1)])


def code_of(fault) -> str:
    return fault.code if fault else ""


leaves = st.one_of(st.sampled_from(["m", "v"]), st.floats(0.1, 3).map(lambda x: f"{x:.3f}"))
arithmetic = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda one: f"math.exp({one})"),
        inner.map(lambda one: f"(-{one})"),
        inner.map(lambda one: f"({one}) ** 2"),
    ),
    max_leaves=8,
)


@given(arithmetic, st.floats(-2, 2), st.floats(-2, 2))
def test_a_formula_is_worked_out_as_python_runs_it(formula, m, v):
    node = ast.parse(formula, mode="eval").body
    try:
        expected = float(eval(formula, {"math": math, "m": m, "v": v}))
    except (ArithmeticError, ValueError):
        with pytest.raises(Unknown):
            value_of(node, {"m": m, "v": v}, {})
        return
    assert value_of(node, {"m": m, "v": v}, {}) == pytest.approx(expected, nan_ok=True)


RIGHT = (
    "kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())",
    "kl = 0.5 * (mu ** 2 + torch.exp(lv) - 1 - lv).sum(1).mean() / len(x)",
    "kl = (-0.5 * (1 + lv - torch.square(mu) - lv.exp())).sum(dim=1).mean(0)\nloss = rec + beta * kl",
    "var = lv.exp()\nkl = -0.5 * (1 + lv - mu * mu - var).mean()",
    "kl = -torch.log(s) + (s ** 2 + m ** 2) / 2 - 0.5",
    "kl = 0.5 * np.sum(var + m ** 2 - np.log(var) - 1, axis=1)",
    "kl = -0.5 * (1 + 2 * log_std - mu ** 2 - torch.exp(2 * log_std))",
    "minus_kl = 0.5 * torch.sum(1 + lv - mu ** 2 - lv.exp())\nelbo = ll + minus_kl\nloss = rec - minus_kl",
    "kl = torch.sum(mu ** 2 + lv.exp() - lv - 1)\nloss = rec + 0.5 * kl",
    "loss = rec + beta * 0.5 * (mu ** 2 + lv.exp() - 1 - lv).mean()",
    "kl = tfd.kl_divergence(q, p)\nx = torch.exp(a + b)",
    "h = net(x)\nreturn_value = torch.exp(h) - offset",
)


@pytest.mark.parametrize("source", RIGHT)
def test_the_divergence_in_any_form_is_no_mistake_nor_is_what_goes_on(source):
    assert divergence_fault(sources(source)) is None


@pytest.mark.parametrize(
    ("right", "wrong", "code"),
    [
        (RIGHT[0], ("-0.5", "0.5"), "kl_sign"),
        (RIGHT[1], ("0.5 *", "-0.5 *"), "kl_sign"),
        (RIGHT[2], ("(-0.5 *", "(-"), "kl_no_half"),
        (RIGHT[3], ("-0.5", "-0.25"), "kl_half_twice"),
        (RIGHT[5], ("0.5 * ", ""), "kl_no_half"),
    ],
)
def test_a_divergence_with_another_factor_is_told_by_what_it_amounts_to(right, wrong, code):
    fault = divergence_fault(sources("x = 1", right.replace(*wrong)))
    assert (
        fault
        and (fault.code, fault.cell) == (code, 1)
        and fault.source in ast.unparse(ast.parse(right.replace(*wrong)))
    )
    assert divergence_fault(sources(right.replace(*wrong), right)) is None, "the right one stands there, too"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("std = torch.exp(0.5 * logvar)", ""),
        ("sigma = torch.sqrt(torch.exp(log_var))", ""),
        ("std = log_std.exp()", ""),
        ("sigma = F.softplus(h)", ""),
        ("z = mu + torch.randn_like(mu) * (lv / 2).exp()", ""),
        ("eps = torch.randn_like(mu)\nhalf = 0.5 * logvar\nz = mu + eps * half.exp()", ""),
        ("var = logvar.exp()\nkl = -0.5 * (1 + logvar - mu ** 2 - var)", ""),
        ("z = mu + logvar.exp().sqrt() * eps", ""),
        ("std = logvar.exp()", "std_no_half"),
        ("z = mu + torch.exp(lv) * torch.randn_like(mu)", "std_no_half"),
        ("eps = torch.randn_like(mu)\nz = mu + eps * log_var.exp()", "std_no_half"),
        ("z = mu + logvar * torch.randn_like(mu)", "logvar_as_std"),
    ],
)
def test_what_noise_is_multiplied_by_is_the_standard_deviation(source, code):
    assert code_of(deviation_fault(sources(source))) == code


def test_a_formula_that_leads_back_to_itself_or_never_ends_says_nothing():
    assert divergence_fault(sources("kl = torch.exp(lv)\nkl = kl - 1 - lv + m")) is None
    assert divergence_fault(sources("a = b * 2\nb = a * 2\nkl = torch.exp(a) + m ** 2")) is None
    deep = "(" * 60 + "m" + " + torch.exp(v))" * 60
    assert divergence_fault(sources(f"kl = {deep}")) is None


def test_a_name_that_stands_in_a_formula_often_is_worked_out_once():
    sums = {f"n{i}": balanced([f"n{i + 1}"] * 200) for i in range(3)}
    assert value_of(ast.Name("n0"), {"n3": 1.0}, sums) == 200.0**3  # each time anew, it would take eight million steps


def balanced(terms: list[str]) -> ast.AST:
    """Return a sum that is no deeper than it has to be."""
    if len(terms) == 1:
        return ast.Name(terms[0])
    half = len(terms) // 2
    return ast.BinOp(balanced(terms[:half]), ast.Add(), balanced(terms[half:]))


HOSTILE = {
    "doubling": "a0 = torch.exp(v) + m\n" + "\n".join(f"a{n} = a{n - 1} * a{n - 1}" for n in range(1, 400)),
    "many": "\n".join(f"k{n} = 0.5 * (1 + v - m ** 2 - torch.exp(v))" for n in range(800)),
    "long": "k = " + " + ".join(["torch.exp(v) * m"] * 900),
    "huge": "k = m * 9.0 ** 9.0 ** 9.0 ** 9.0 + torch.exp(v) ** 99999",
    "blends": "x = " + " + ".join(["(1 - t) * a"] * 900),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_formulas_take_steps_in_proportion_and_say_nothing_false(kind, monkeypatch):
    steps = 0

    def counted(*arguments):
        nonlocal steps
        steps += 1
        return worked_out(*arguments)

    worked_out = formulas.worked_out
    monkeypatch.setattr(formulas, "worked_out", counted)
    code = sources(HOSTILE[kind])
    fault = divergence_fault(code)
    assert code_of(fault) == ("kl_sign" if kind == "many" else "") and deviation_fault(code) is None
    assert steps < 30 * len(HOSTILE[kind]), "each letter of the source costs a few steps at most"
    for _, unit, _ in code.units():
        assert not any(formulas.is_blend(node) for node in ast.walk(unit)) or kind == "blends"


def test_noise_in_a_formula_nested_too_deeply_is_told_without_it():
    fault = deviation_fault(sources(f"z = logvar.exp() * torch.randn({' + '.join('n' * 2000)})"))
    assert fault is None or "deeply" in fault.source
