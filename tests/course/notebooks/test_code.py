"""The code of cells: IPython itself says what its syntax means, however slowly."""

import ast
import json
import time
from pathlib import Path

import IPython
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from course.notebooks import code

NOTEBOOKS = sorted((Path(__file__).resolve().parents[3] / "notebooks").glob("*.ipynb"))


def as_ipython_reads(source):
    return ast.unparse(ast.parse(TransformerManager().transform_cell(source)))


SYNTAX = [
    "%matplotlib inline\n!ls\nx = 1", "x = %timeit -o 3", "a = !ls\nb = 1", "a, b = %magic x", "d['k'] = !ls", "!!ls",
    "?print", "print?", "np.array??\nx", "%ls?", "x = 1\n%%time\ny = 2", "!ls \\\n -la\nx = 1", "%cd /home/x",
    "if 1:\n    %time x = 3\n    !ls", "for i in x:\n    if i:\n        !ls\n    y = 1\nz = %pwd\n",
    "    x = 1\n    y = 2", "\tx = 1", ">>> x = 1\n>>> y = 2", ">>> if x:\n...     y = 2", "In [1]: x = 1",
    "x = '''\n!ls\n%foo\n'''\n%a", "!echo it's\nx = '''a'''\n!b", "# it's\n!ls", "x = 'it\\'s' # '''\n!ls",
    "print('a = %d' % 3)\n%x", "x = {'a': \"%s\"}\n%y", "print(f'{x=!r}')\n%y", "a %b\n", "\n\n!ls",
    "x == 1\n%y", "await x\n%y", "%", "!", "x = '\\\n'\n!ls", "\r\nx = 1\r\n!ls\r\n",
]  # fmt: skip


@pytest.mark.parametrize("source", SYNTAX)
def test_commands_mean_what_ipython_says(source):
    assert ast.unparse(code.parse(source)) == as_ipython_reads(source)


@pytest.mark.parametrize(
    "source",
    [
        "f(\n!x)",
        "def f(:",
        "x = = %y",
        "  x = 1\ny = 2",
        "x = 'a\n!ls'",
        "x = (\n%y",
        "x = r'\\'\n%a'",
        "if x: !ls",
        "x = [1,\n%b]\n!ls",
    ],
)
def test_what_ipython_refuses_is_no_python(source):
    assert code.parse_or_none(source) is None
    if source.startswith("  x") and IPython.version_info < (9,):  # which takes the first line's indent off that line
        assert as_ipython_reads(source) == "x = 1\ny = 2"
        return
    with pytest.raises(SyntaxError):
        as_ipython_reads(source)


LINES = st.sampled_from([
    "x = 1", "!ls", "%time f(x)", "y = %pwd", "z = !ls", "s = 'it'", 's = """a', 'b"""', "# it's", "f(a,",
    "  b)", "", "if x:", "    !ls -l", "    x = 2", "else:", 't = "%s" % x', "!echo 'it", "d = {", "}", "%%time",
    "x = 1 \\\n  + 2",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=8))
def test_any_mixture_is_read_as_ipython_reads_it(lines):
    source = "\n".join(["x = 0", *lines])
    try:
        expected = as_ipython_reads(source)
    except SyntaxError:
        expected = None
    tree = code.parse_or_none(source)
    assert (tree and ast.unparse(tree)) == expected


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text(alphabet="%!?'\"\\\n #()[]= ax"))
def test_any_text_is_code_or_none(source):
    code.parse_or_none(source)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_are_read_as_ipython_reads_them(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            assert ast.unparse(code.parse(source)) == as_ipython_reads(source)


def test_lines_keep_their_numbers():
    tree = code.parse("\n\n%%time\n!a \\\n b\nx = %pwd\n\ny = 1")
    assert [(node.lineno, ast.unparse(node)) for node in tree.body if "y" in code.bound(node)] == [(8, "y = 1")]
    assert [node.lineno for node in tree.body if "x" in code.bound(node)] == [6]


@pytest.mark.parametrize("magic", ["time", "capture out", "timeit -n 1"])
def test_a_cell_that_a_magic_runs_is_python(magic):
    tree = code.parse(f"%%{magic}\n!ls\ndef f():\n    pass\nshow(fig, 'a', alt='b')")
    assert "f" in code.bound(tree.body[2]) and list(code.figure_names(tree)) == ["a"]


@pytest.mark.parametrize("magic", ["bash", "html", "writefile f.py"])
def test_a_cell_in_another_language_is_a_string(magic):
    tree = code.parse(f"%%{magic}\ndef f():\n    pass")
    assert len(tree.body) == 1 and "def f()" in ast.unparse(tree)


def test_no_number_of_magics_is_too_many():
    tree = code.parse_or_none("!ls\n" * 2000)
    assert tree is not None and len(tree.body) == 2000, "IPython gives up after 500"


HOSTILE = {
    "commands": "!ls\n", "quotes": "'", "three quotes": "'''", "brackets": "a[b ", "words": "aaaa ",
    "backslashes": "\\", "joints": "\\\n", "blanks": " ", "prompts": ">>> ", "questions": "a?", "equals": "a = ",
    "comments": "#", "minus": "-",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("start", ["", "!x\n", "x = '''", ">>> "])
def test_time_grows_as_the_source_does(name, start):
    def seconds(times):
        source = start + HOSTILE[name] * times
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            code.as_python(source)
            best = min(best, time.process_time() - begin)
        return best

    assert seconds(16_000) < 100 * seconds(1000) + 0.05, "quadratic time would grow 256 times"
