"""Execute the chapters in place, and leave in them only what every run would leave.

    python scripts/execute_notebooks.py                          # all of book/
    python scripts/execute_notebooks.py book/02_squeeze.ipynb    # some
    python scripts/execute_notebooks.py --check                  # execute nothing, say what is not normalized
    python scripts/execute_notebooks.py --normalize              # execute nothing, normalize what was executed

Cell ids, timestamps, widget state and kernel versions differ from run to run and are taken out or made regular, so that
executing an unchanged notebook again changes no byte. Alt text goes where the book's renderer looks for it. Of a figure
that moves, element and data stay; its script is added by whoever shows it, so that no chapter changes with a script.
Of its metadata, a plot keeps its size and its twin for dark pages. Links to other chapters become addresses of the
published book, which hold in any copy of a notebook, and cells that the book folds are folded in JupyterLab and Colab.
The install cell asks for this version of the package.
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
import time
from pathlib import Path

import nbformat
import yaml
from nbclient import NotebookClient
from nbformat import NotebookNode

import senet_edu
from senet_edu.explorables.lib.scripts import stored

BOOK = Path(__file__).resolve().parents[1] / "book"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
CELL_SECONDS = 600  # after which a cell counts as hung
START_SECONDS = 180  # and a kernel

CONFIG = yaml.safe_load((BOOK.parent / "_config.yml").read_text(encoding="utf-8"))
PUBLISHED = CONFIG["sphinx"]["config"]["html_baseurl"]
# A link to another chapter, by its file: dead in a copy of the notebook that lies elsewhere, in Drive for one.
CHAPTER_LINK = re.compile(r"\]\((?:\./)?(\w+)\.(?:ipynb|html|md)(#[^)\s]*)?\)")
NEEDED = re.compile(r'^NEEDED = "[\d.]*"$', re.MULTILINE)  # in the install cell
HIDDEN = "hide-input"  # folded in the book; JupyterLab and Colab have marks of their own for it
NOTEBOOK_METADATA = ("accelerator", "kernelspec", "language_info")  # `accelerator` asks Colab for a GPU
CELL_METADATA = ("cellView", "jupyter", "mystnb", "tags")
WIDGET = "application/vnd.jupyter.widget-view+json"
OUTPUT_METADATA = ("image/png", "dark")  # the size of a figure, and the figure for dark pages
HTML = "text/html"
FIGURE = "Figure: "  # how the text of a `senet_edu.plots.Picture` begins; its alt text is the rest of the line


def read(path: Path) -> NotebookNode:
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, nbformat.reader.NotJSONError) as error:
        sys.exit(f"{path} cannot be read as a notebook: {str(error).splitlines()[0]}")


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as UTF-8 with one trailing newline, unless the file is already the same."""
    text = nbformat.writes(notebook) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8", newline="\n")


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells in the folder's directory, in place.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an exception; the message has its traceback.
        RuntimeError: a cell wrote to standard error, for instance a warning.
    """
    NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        startup_timeout=START_SECONDS,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
    ).execute()
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise RuntimeError(f"cell {index} wrote to standard error:\n{output.text}")


def normalize(notebook: NotebookNode) -> NotebookNode:
    """A copy of an executed notebook without what differs from run to run, and with alt text in place.

    Raises:
        ValueError: a cell shows several figures; alt text belongs to a cell, so each needs its own.
    """
    notebook = copy.deepcopy(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    kept = {key: value for key, value in notebook.metadata.items() if key in NOTEBOOK_METADATA}
    notebook.metadata = NotebookNode(kept | {"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index:03d}"
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key in CELL_METADATA})
        if cell.cell_type == "markdown":
            cell.source = CHAPTER_LINK.sub(rf"]({PUBLISHED}\1.html\2)", cell.source)
        if cell.cell_type == "code":
            cell.source = NEEDED.sub(f'NEEDED = "{senet_edu.__version__}"', cell.source)
            fold(cell)
            cell.outputs = normalize_outputs(cell.outputs, compared="nbval-ignore-output" not in tags(cell))
            set_alt(cell, index)
    return notebook


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def fold(cell: NotebookNode) -> None:
    """Fold a cell that the book folds in JupyterLab (`source_hidden`) and Colab (`cellView`), and no other."""
    for key in ("jupyter", "cellView"):
        cell.metadata.pop(key, None)
    if HIDDEN in tags(cell):
        cell.metadata.update({"jupyter": {"source_hidden": True}, "cellView": "form"})


def normalize_outputs(outputs: list[NotebookNode], compared: bool) -> list[NotebookNode]:
    """Outputs without widgets, which are dead on a page, without the scripts of figures, and with neighboring pieces of
    one stream joined.

    The text that stands in for a widget stays only where `pytest --nbval` compares it.
    """
    result: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if result and result[-1].output_type == "stream" and result[-1].name == output.name:
                result[-1].text += output.text
                continue
        elif WIDGET in output.get("data", {}):
            del output.data[WIDGET]
            if not output.data or not compared:
                continue
        if "metadata" in output:
            output.metadata = NotebookNode({k: v for k, v in output.metadata.items() if k in OUTPUT_METADATA})
        if HTML in output.get("data", {}):
            output.data[HTML] = stored(output.data[HTML])
        result.append(output)
    return result


def set_alt(cell: NotebookNode, index: int) -> None:
    """Copy the alt text of a cell's figure to `mystnb.image.alt`; remove it where there is no figure any more."""
    texts = [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    alts = [text.removeprefix(FIGURE).partition("\n")[0] for text in texts if text.startswith(FIGURE)]
    if len(alts) > 1:
        raise ValueError(f"cell {index} shows {len(alts)} figures: split it, one cell has one alt text")
    options = cell.metadata.pop("mystnb", {})
    image = {key: value for key, value in options.get("image", {}).items() if key != "alt"}
    if alts:
        image["alt"] = re.sub(r"\s+", " ", alts[0])
    options = {key: value for key, value in options.items() if key != "image"} | ({"image": image} if image else {})
    if options:
        cell.metadata["mystnb"] = options


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of book/ when left out")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="execute nothing, only look")
    how.add_argument("--normalize", action="store_true", help="execute nothing, normalize")
    args = parser.parse_args(argv)
    bad = []
    for path in args.notebooks or sorted(BOOK.glob("*.ipynb")):
        notebook = read(path)
        if args.check:
            if nbformat.writes(normalize(notebook)) + "\n" != path.read_text(encoding="utf-8"):
                bad.append(path)
                print(f"{path.name}: not normalized")
            continue
        started = time.perf_counter()
        if not args.normalize:
            execute(notebook, path.parent)
        write(normalize(notebook), path)
        print(f"{path.name}: {time.perf_counter() - started:.0f} s", flush=True)
    if bad:
        sys.exit(f"{len(bad)} to normalize: python scripts/execute_notebooks.py {' '.join(map(str, bad))}")


if __name__ == "__main__":
    main()
