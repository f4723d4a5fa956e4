"""Kinds that notebooks in other languages and habits have in common, each as it was found in one that was executed."""

import json

import pytest

from course.assignments import ASSIGNMENTS
from course.grading.case import case_of, sections_of
from course.grading.common import may_answer
from course.grading.judging import Options, grade_content
from course.grading.writing import Block, blocks, own_words
from course.notebooks.printed import kind_of, readings
from course.notebooks.reading import parse


def values(text: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for reading in readings(text):
        found.setdefault(kind_of(reading.label) or "", []).append(reading.value)
    return found


def test_a_table_may_name_its_rows_and_have_brackets_in_its_head():
    text = (
        "escenario    L_recon    L_KL    perdida    perdida(beta=0,2)\n"
        "estandar       1,980     1,244     3,224     2,229\n"
        "colapso        8,548     0,015     8,563     8,551\n"
    )
    assert values(text) == {"nll": [1.98, 8.548], "kl": [1.244, 0.015], "loss": [3.224, 2.229, 8.563, 8.551]}


def test_a_line_of_numbers_is_no_head():
    assert values("epoch 1   loss 0.50   kl 2.00\nepoch 2   loss 0.40   kl 2.10") == {
        "": [1, 2], "loss": [0.5, 0.4], "kl": [2.0, 2.1],
    }  # fmt: skip


@pytest.mark.parametrize("word", ["loss", "Verlust", "perdita", "pérdida", "perte", "kayıp", "verlies", "损失"])
def test_a_loss_is_one_in_each_language_and_its_beginning_and_end_are_both_its(word):
    assert values(f"{word}: start 0.2231, end 0.0208") == {"loss": [0.2231, 0.0208]}


def test_words_of_languages_without_spaces_are_counted():
    text = "第一行：在包的平均编码附近取样，得到不同形状的包，大小和提手的样子会变化。只改变一个维度。"
    assert 20 < own_words(text, frozenset()) < 40
    assert own_words("one VAE的 two", frozenset()) == 4


A5 = ASSIGNMENTS["a5"]


@pytest.mark.parametrize(
    ("titles", "sections"),
    [
        (["## 1", "## 2", "## 3 加法", "## 4", "## 5 包"], {2: "1", 4: "2", 6: "3", 8: "4", 10: "5"}),
        (["## 1", "## 2", "## 3"], {}),
        (["## 2", "## 1", "## 3", "## 4", "## 5"], {}),
        (["## 1.1", "## 1.2", "## 3", "## 4", "## 5"], {}),
    ],
)
def test_bare_numbers_are_tasks_where_all_of_them_stand_in_order(titles, sections):
    prose = [(2 * number + 1, title) for number, title in enumerate(titles)]
    found = sections_of(prose, [2 * number + 2 for number in range(len(titles))], A5)
    assert {cell: task for cell, task in found.items() if cell % 2 == 0} == sections


def cells(*sources: tuple[str, str]) -> bytes:
    made = []
    for number, (source, printed) in enumerate(sources, 1):
        outputs = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else []
        made.append({"cell_type": "code", "metadata": {}, "execution_count": number, "source": source,
                     "outputs": outputs})  # fmt: skip
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.mark.parametrize(("half", "passes"), [("False", True), ("True", False)])
def test_the_test_set_is_told_by_where_it_comes_from(half, passes):
    content = cells(
        (f"sinama = torchvision.datasets.MNIST('data', train={half})", ""),
        ("e = olc(sinama)\nprint(f'Sonuç: ELBO = {e:.3f}')", "Sonuç: ELBO = -105.313\n"),
    )
    findings = grade_content("max_mustermann_a4.ipynb", content, Options()).verdict.tasks["4"].findings
    assert any(f.code == "test_elbo" and f.level == "PASS" for f in findings) is passes


ONE = "The reconstruction is four times as bad after the collapse, since the latents say nothing of x any more, so."
OTHER = "With a beta below one the KL costs less, so that information stays in the latents; samples suffer from it."


@pytest.mark.parametrize(("text", "answers"), [(f"{ONE}\n\n{OTHER}", True), (OTHER, False), (f"{ONE} {OTHER}", False)])
def test_one_text_may_answer_two_tasks_a_paragraph_each(text, answers):
    task = next(task for task in ASSIGNMENTS["a2"].tasks if task.name == "4")
    block = Block(3, "", "", text, 40)
    assert may_answer(block, task, task.writes[0][1], in_sections=False) is answers


def test_a_path_between_codes_is_told_by_the_function_that_makes_it():
    source = "weg = torch.lerp(za, zb, torch.linspace(0, 1, 9)[:, None])\nplt.imshow(bild(weg)); plt.title('3 ten 8 e')"
    case = case_of(parse("max_mustermann_a4.ipynb", cells((source, ""))), ASSIGNMENTS["a4"])
    assert "lerp" in case.code.reach(0).calls & set(ASSIGNMENTS["a4"].tasks[4].calls)


def test_a_text_above_a_heading_in_its_own_cell_belongs_to_the_section_before():
    sources = ("## 1", "## 3", "## 4", f"{ONE}\n## 5: beta", OTHER)
    text = [{"cell_type": "markdown", "metadata": {}, "source": source} for source in sources]
    content = json.dumps({"cells": text, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    case = case_of(parse("max_mustermann_a2.ipynb", content), ASSIGNMENTS["a2"])
    assert [block.section for block in blocks(case)] == ["4", "5"]
