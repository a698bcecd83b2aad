"""The chapters' health. Each check is a function that yields what is wrong, and each is shown a bad notebook."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import execute_notebooks
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import senet_edu
from senet_edu.explorables import Squeeze

BOOK = Path(__file__).resolve().parents[1] / "book"
REPOSITORY = yaml.safe_load((BOOK.parent / "_config.yml").read_text(encoding="utf-8"))["repository"]
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
IMAGES = ("image/png", "image/jpeg", "image/svg+xml", "image/gif")

INSTALL = f'''\
# The book's package: installed already, or fetched here (on Colab), or renewed where it is older than this notebook.
import sys
from importlib import metadata

NEEDED = "{senet_edu.__version__}"


def is_missing():
    try:
        return [*map(int, metadata.version("senet-edu").split("."))] < [*map(int, NEEDED.split("."))]
    except metadata.PackageNotFoundError:
        return True


if is_missing():
    %pip install -q --upgrade "senet-edu[book] @ git+{REPOSITORY["url"]}"
    if is_missing():
        print("The package could not be fetched. Is there a network? Then run this cell again.")
    elif "senet_edu" in sys.modules:
        print("The package was renewed. Choose Runtime, Restart session, and run the cells from the top.")'''


def badge(name: str) -> str:
    path = f"{REPOSITORY['url'].removeprefix('https://github.com/')}/blob/{REPOSITORY['branch']}/book/{name}.ipynb"
    return (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"(https://colab.research.google.com/github/{path})"
    )


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def outputs(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    return ((cell, output) for cell in code_cells(notebook) for output in cell.outputs)


# The checks: a notebook and its name in, what is wrong with it out.

Check = Callable[[NotebookNode, str], Iterator[str]]


def executed(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Every code cell ran, in order, in a fresh kernel. (`pytest --nbval` passes where outputs were cleared.)"""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if not counts or counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1, 2, 3, …"


def no_errors(notebook: NotebookNode, name: str) -> Iterator[str]:
    for cell, output in outputs(notebook):
        if output.output_type == "error":
            yield f"{cell.id} ends in {output.ename}: {output.evalue}"
        if output.output_type == "stream" and output.name == "stderr":
            yield f"{cell.id} wrote to standard error: {output.text}"


def imports_package(notebook: NotebookNode, name: str) -> Iterator[str]:
    to_python = TransformerManager().transform_cell  # magics are not Python
    tree = ast.parse("\n".join(to_python(cell.source) for cell in code_cells(notebook)))
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    names += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    if not any(name.split(".")[0] == "senet_edu" for name in names):
        yield "imports nothing from senet_edu"


def has_alt_text(notebook: NotebookNode, name: str) -> Iterator[str]:
    for cell, output in outputs(notebook):
        if any(image in output.get("data", {}) for image in IMAGES):
            if len(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) < 20:
                yield f"{cell.id} shows an image without alt text"


def normalized(notebook: NotebookNode, name: str) -> Iterator[str]:
    if execute_notebooks.normalize(notebook) != notebook:
        yield f"holds what differs from run to run: python scripts/execute_notebooks.py book/{name}.ipynb"


def mostly_compared(notebook: NotebookNode, name: str) -> Iterator[str]:
    """nbval compares the outputs of more than half of the cells, and runs all."""
    cells = code_cells(notebook)
    marks = [" ".join([*execute_notebooks.tags(cell), cell.source]).lower().replace("_", "-") for cell in cells]
    ignored = sum("nbval-ignore-output" in mark for mark in marks)
    if 2 * ignored >= len(cells):
        yield f"{ignored} of {len(cells)} code cells are not compared"
    for cell, mark in zip(cells, marks):
        for forbidden in ("nbval-skip", "nbval-raises-exception", "raises-exception"):
            if forbidden in mark:
                yield f"{cell.id} is tagged {forbidden}, which passes whatever the cell does"
                break


def framed(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Title and badge first, then the install cell; recap, quiz and exercises at the end."""
    first, install = notebook.cells[:2]
    if first.cell_type != "markdown" or not re.match(r"# \S", first.source):
        yield "does not begin with a title"
    if badge(name) not in first.source:
        yield f"the first cell lacks the badge {badge(name)}"
    if install.cell_type != "code" or install.source != INSTALL:
        yield f"the second cell is not the install cell\n{INSTALL}"
    if "remove-cell" not in execute_notebooks.tags(install):
        yield "the install cell is not tagged remove-cell"
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = re.findall(r"^## +(.+?) *$", prose, re.MULTILINE)
    if headings[-3:] != ["Recap", "Quiz", "Exercises"]:
        yield f"ends with the sections {headings[-3:]}, not with Recap, Quiz, Exercises"


def plain_markdown(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Nothing that only the book's renderer understands: Colab, JupyterLab and GitHub would show it raw."""
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        prose = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
        if raw := re.findall(r"^:::.*|^```\{.*|^\([\w-]+\)=$", cell.source, re.MULTILINE) + re.findall(
            r"\{[\w:]+\}`", prose
        ):
            yield f"{cell.id} has what only the book understands: {raw}"
        # Markdown within HTML is set only behind an empty line.
        for opening in re.finditer(r"<details>(.*?)</details>", cell.source, re.DOTALL):
            if not re.match(r"\n<summary>[^\n]+</summary>\n\n.*\n\n$", opening[1], re.DOTALL):
                yield f"{cell.id}: <details> lacks an empty line behind its summary or before its end"
        if cell.source.count("<details>") != cell.source.count("</details>"):
            yield f"{cell.id}: <details> without an end"
        if dead := re.findall(r"\]\((#[^)]+)\)", cell.source):
            yield f"{cell.id} links within the page, which other viewers name otherwise: {dead}"
        if near := [link[0] for link in execute_notebooks.CHAPTER_LINK.finditer(cell.source)]:
            yield f"{cell.id} links to files, which a copy elsewhere has not beside it: {near}"


def in_contents(notebook: NotebookNode, name: str) -> Iterator[str]:
    contents = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    if name not in [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]:
        yield "is not in _toc.yml"


CHECKS: list[Check] = [
    executed,
    no_errors,
    imports_package,
    has_alt_text,
    normalized,
    mostly_compared,
    framed,
    plain_markdown,
    in_contents,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter(path: Path, check: Check) -> None:
    assert not list(check(execute_notebooks.read(path), path.stem))


def test_executing_chapters_again_would_change_no_byte_of_their_form() -> None:
    execute_notebooks.main(["--check"])


def test_all_pages_of_the_contents_exist() -> None:
    contents = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    names = [contents["root"], *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"])]
    assert len(CHAPTERS) > 0
    assert [n for n in names if not any((BOOK / f"{n}{suffix}").exists() for suffix in (".md", ".ipynb"))] == []


# Bad notebooks. Each spoils a good one in one way, and one check must notice.

NAME = "02_squeeze"
ALT = "A white square, which stands for any figure."


def good_notebook() -> NotebookNode:
    data = {"text/plain": f"Figure: {ALT}", "image/png": "iVBORw0KGgo="}
    figure = new_output("execute_result", data, execution_count=3)
    cells = [
        new_markdown_cell(f"# A title\n\n{badge(NAME)}\n\nThe question."),
        new_code_cell(INSTALL, execution_count=1, metadata={"tags": ["remove-cell"]}),
        new_code_cell("from senet_edu import SEBlock", execution_count=2),
        new_code_cell("draw()", execution_count=3, outputs=[figure]),
        new_markdown_cell("## Recap\n\n## Quiz"),
        new_code_cell("print(1)", execution_count=4, outputs=[new_output("stream", text="1\n")]),
        new_markdown_cell("## Exercises"),
    ]
    return execute_notebooks.normalize(new_notebook(cells=cells))


def never_executed(notebook: NotebookNode) -> None:
    notebook.cells[2].execution_count = None


def executed_out_of_order(notebook: NotebookNode) -> None:
    notebook.cells[2].execution_count = 7


def error_output(notebook: NotebookNode) -> None:
    notebook.cells[2].outputs = [new_output("error", ename="ValueError", evalue="no", traceback=[])]


def warning(notebook: NotebookNode) -> None:
    notebook.cells[2].outputs = [new_output("stream", name="stderr", text="UserWarning: …")]


def own_code_only(notebook: NotebookNode) -> None:
    notebook.cells[2].source = 'print("from senet_edu import SEBlock")'


def figure_without_alt(notebook: NotebookNode) -> None:
    del notebook.cells[3].metadata["mystnb"]


def image_that_is_no_picture(notebook: NotebookNode) -> None:
    del notebook.cells[3].metadata["mystnb"]
    notebook.cells[3].outputs[0].data["text/plain"] = "<Figure size 640x480>"


def stale_alt(notebook: NotebookNode) -> None:
    notebook.cells[3].metadata["mystnb"]["image"]["alt"] = "The figure that this cell used to show."


def random_id(notebook: NotebookNode) -> None:
    notebook.cells[2].id = "3f1c9a2e"


def timestamps(notebook: NotebookNode) -> None:
    notebook.cells[2].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}


def widget_state(notebook: NotebookNode) -> None:
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def kernel_version(notebook: NotebookNode) -> None:
    notebook.metadata["language_info"]["version"] = "3.11.7"


def live_widget(notebook: NotebookNode) -> None:
    notebook.cells[2].outputs = [new_output("display_data", {execute_notebooks.WIDGET: {"model_id": "a1"}})]


def torn_stream(notebook: NotebookNode) -> None:
    notebook.cells[5].outputs.append(new_output("stream", text="2\n"))


def figure_with_its_script(notebook: NotebookNode) -> None:
    output = new_output("execute_result", {"text/html": Squeeze()._repr_html_()}, execution_count=2)
    notebook.cells[2].outputs = [output]


def half_ignored(notebook: NotebookNode) -> None:
    for index in (3, 5):
        notebook.cells[index].metadata["tags"] = ["nbval-ignore-output"]


def half_ignored_by_comments(notebook: NotebookNode) -> None:
    for index in (3, 5):
        notebook.cells[index].source = "# NBVAL_IGNORE_OUTPUT\n" + notebook.cells[index].source


def skipped(notebook: NotebookNode) -> None:
    notebook.cells[3].metadata["tags"] = ["nbval-skip"]


def no_title(notebook: NotebookNode) -> None:
    notebook.cells[0].source = notebook.cells[0].source.removeprefix("# ")


def badge_of_another_chapter(notebook: NotebookNode) -> None:
    notebook.cells[0].source = notebook.cells[0].source.replace(NAME, "03_excitation")


def badge_of_another_repository(notebook: NotebookNode) -> None:
    notebook.cells[0].source = notebook.cells[0].source.replace("github/senet-edu", "github/somebody")


def install_from_elsewhere(notebook: NotebookNode) -> None:
    notebook.cells[1].source = notebook.cells[1].source.replace("git+", "git+https://example.org/")


def install_of_an_older_version(notebook: NotebookNode) -> None:
    notebook.cells[1].source = notebook.cells[1].source.replace(senet_edu.__version__, "0.9.0")


def install_cell_shown(notebook: NotebookNode) -> None:
    notebook.cells[1].metadata = {}


def no_quiz(notebook: NotebookNode) -> None:
    notebook.cells[4].source = "## Recap"


def folded_by_a_directive(notebook: NotebookNode) -> None:
    notebook.cells[6].source += "\n\n:::{dropdown} Solution\nx\n:::"


def folded_without_empty_line(notebook: NotebookNode) -> None:
    notebook.cells[6].source += "\n\n<details>\n<summary>Solution</summary>\n$x$\n\n</details>"


def folded_without_end(notebook: NotebookNode) -> None:
    notebook.cells[6].source += "\n\n<details>\n<summary>Solution</summary>\n\n$x$"


def role(notebook: NotebookNode) -> None:
    notebook.cells[4].source += "\n\nSee {cite}`hu2018`."


def link_within_the_page(notebook: NotebookNode) -> None:
    notebook.cells[4].source += "\n\nSee [below](#quiz)."


def link_to_a_file(notebook: NotebookNode) -> None:
    notebook.cells[4].source += "\n\nSee [chapter 3](03_excitation.ipynb#softmax)."


def folded_in_the_book_alone(notebook: NotebookNode) -> None:
    notebook.cells[2].metadata["tags"] = ["hide-input"]


BAD: list[tuple[Check, Callable[[NotebookNode], None]]] = [
    (executed, never_executed),
    (executed, executed_out_of_order),
    (no_errors, error_output),
    (no_errors, warning),
    (imports_package, own_code_only),
    (has_alt_text, figure_without_alt),
    (has_alt_text, image_that_is_no_picture),
    (normalized, stale_alt),
    (normalized, random_id),
    (normalized, timestamps),
    (normalized, widget_state),
    (normalized, kernel_version),
    (normalized, live_widget),
    (normalized, torn_stream),
    (normalized, figure_with_its_script),
    (mostly_compared, half_ignored),
    (mostly_compared, half_ignored_by_comments),
    (mostly_compared, skipped),
    (framed, no_title),
    (framed, badge_of_another_chapter),
    (framed, badge_of_another_repository),
    (framed, install_from_elsewhere),
    (framed, install_of_an_older_version),
    (normalized, install_of_an_older_version),
    (framed, install_cell_shown),
    (framed, no_quiz),
    (plain_markdown, folded_by_a_directive),
    (plain_markdown, folded_without_empty_line),
    (plain_markdown, folded_without_end),
    (plain_markdown, role),
    (plain_markdown, link_within_the_page),
    (plain_markdown, link_to_a_file),
    (normalized, folded_in_the_book_alone),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_passes_a_good_notebook(check: Check) -> None:
    assert not list(check(good_notebook(), NAME))


@pytest.mark.parametrize(("check", "spoil"), BAD, ids=lambda function: function.__name__)
def test_check_notices_a_bad_notebook(check: Check, spoil: Callable[[NotebookNode], None]) -> None:
    notebook = good_notebook()
    spoil(notebook)
    assert list(check(notebook, NAME))


def test_check_notices_a_chapter_outside_of_the_contents() -> None:
    assert list(in_contents(good_notebook(), "99_nowhere"))


def test_every_check_has_been_shown_a_bad_notebook() -> None:
    assert {check for check, _ in BAD} | {in_contents} == set(CHECKS)


# The script that executes and normalizes


def test_normalizing_twice_is_normalizing_once() -> None:
    notebook = good_notebook()
    spoils = (random_id, timestamps, widget_state, kernel_version, live_widget, torn_stream, stale_alt)
    for spoil in spoils:
        spoil(notebook)
    before = copy.deepcopy(notebook)
    once = execute_notebooks.normalize(notebook)
    assert notebook == before, "the argument was changed"
    assert once != notebook
    assert execute_notebooks.normalize(once) == once
    assert once.cells[3].metadata["mystnb"]["image"]["alt"] == ALT
    assert once.cells[5].outputs == [new_output("stream", text="1\n2\n")]


def test_alt_text_goes_with_its_figure() -> None:
    notebook = good_notebook()
    notebook.cells[3].metadata["mystnb"]["image"]["width"] = "80%"
    notebook.cells[3].outputs = []
    assert execute_notebooks.normalize(notebook).cells[3].metadata["mystnb"] == {"image": {"width": "80%"}}


def test_alt_text_is_the_first_line_and_a_figure_keeps_its_twin() -> None:
    notebook = good_notebook()
    (output,) = notebook.cells[3].outputs
    output.data["text/plain"] = f'Figure: {ALT}\n  1: x "n"; 1 line'
    output.metadata = NotebookNode({"dark": "iVBOR", "image/png": {"width": 640}, "created": "2026-01-01"})
    cell = execute_notebooks.normalize(notebook).cells[3]
    assert cell.metadata["mystnb"]["image"]["alt"] == ALT
    assert cell.outputs[0].metadata == {"dark": "iVBOR", "image/png": {"width": 640}}


def test_links_to_chapters_become_addresses_and_folded_cells_are_folded_everywhere() -> None:
    notebook = good_notebook()
    link_to_a_file(notebook)
    folded_in_the_book_alone(notebook)
    result = execute_notebooks.normalize(notebook)
    assert f"[chapter 3]({execute_notebooks.PUBLISHED}03_excitation.html#softmax)" in result.cells[4].source
    assert result.cells[2].metadata["jupyter"] == {"source_hidden": True}
    assert result.cells[2].metadata["cellView"] == "form"
    result.cells[2].metadata["tags"] = []
    assert execute_notebooks.normalize(result).cells[2].metadata == {"tags": []}


def test_the_install_cell_asks_for_this_version() -> None:
    notebook = good_notebook()
    install_of_an_older_version(notebook)
    assert execute_notebooks.normalize(notebook).cells[1].source == INSTALL


def test_two_figures_in_a_cell_are_refused() -> None:
    notebook = good_notebook()
    notebook.cells[3].outputs *= 2
    with pytest.raises(ValueError, match="cell 3 shows 2 figures"):
        execute_notebooks.normalize(notebook)


def test_text_of_a_widget_stays_only_where_it_is_compared() -> None:
    data = {execute_notebooks.WIDGET: {"model_id": "a1"}, "text/plain": "0%| | 0/3"}
    notebook = good_notebook()
    for index, cell_tags in ((2, []), (5, ["nbval-ignore-output"])):
        notebook.cells[index].outputs = [new_output("display_data", data)]
        notebook.cells[index].metadata["tags"] = cell_tags
    result = execute_notebooks.normalize(notebook)
    assert [output.data for output in result.cells[2].outputs] == [{"text/plain": "0%| | 0/3"}]
    assert result.cells[5].outputs == []


CHAPTER = """\
import numpy as np
from senet_edu import plots
from tqdm.auto import tqdm
print("in", end=" ")
print(len(list(tqdm(range(3)))), "pieces")
figure = plots.new_figure(1.0)
figure.subplots().plot(np.arange(3))
plots.Picture(figure, "A line that rises from zero to two.")"""


def test_of_a_moving_figure_the_script_is_not_stored(tmp_path: Path) -> None:
    """A character that changes in a script then changes no chapter."""
    notebook = good_notebook()
    figure_with_its_script(notebook)
    path = tmp_path / "chapter.ipynb"
    execute_notebooks.write(notebook, path)
    execute_notebooks.main(["--normalize", str(path)])
    (output,) = execute_notebooks.read(path).cells[2].outputs
    assert output.data["text/html"] == Squeeze().element()


def test_executing_again_changes_no_byte(tmp_path: Path) -> None:
    path = tmp_path / "chapter.ipynb"
    execute_notebooks.write(new_notebook(cells=[new_code_cell(CHAPTER)]), path)
    execute_notebooks.main([str(path)])
    first = path.read_bytes()
    cell = execute_notebooks.read(path).cells[0]
    assert cell.metadata["mystnb"]["image"]["alt"] == "A line that rises from zero to two."
    assert "image/png" in cell.outputs[-1].data
    assert "3 pieces" in "".join(output.get("text", "") for output in cell.outputs)
    execute_notebooks.main([str(path)])
    assert path.read_bytes() == first
    execute_notebooks.main(["--check", str(path)])


@pytest.mark.parametrize(
    ("source", "message"),
    [("1 / 0", "ZeroDivisionError"), ("import warnings; warnings.warn('careful')", "cell 0 wrote to standard error")],
)
def test_a_cell_that_fails_or_warns_stops_the_script(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "chapter.ipynb"
    execute_notebooks.write(new_notebook(cells=[new_code_cell(source)]), path)
    before = path.read_bytes()
    with pytest.raises(Exception, match=message):
        execute_notebooks.main([str(path)])
    assert path.read_bytes() == before


def test_check_reports_a_notebook_that_is_not_normalized(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = good_notebook()
    random_id(notebook)
    path = tmp_path / "chapter.ipynb"
    execute_notebooks.write(notebook, path)
    with pytest.raises(SystemExit, match="1 to normalize"):
        execute_notebooks.main(["--check", str(path)])
    assert "chapter.ipynb: not normalized" in capsys.readouterr().out
