"""How the figures' scripts get into pages and notebooks, held in a browser and to scripts made for it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from senet_edu.explorables import Squeeze
from senet_edu.explorables.lib import scripts
from senet_edu.explorables.lib.scripts import in_a_cell, in_a_page, needed, statement, stored, version, with_scripts


def forget() -> None:
    for cached in (scripts.source, scripts.statement, scripts.version):
        cached.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Write files into a folder of figures of its own: folder({"a.js": "…"})."""
    monkeypatch.setattr(scripts, "FIGURES", tmp_path)
    forget()

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        forget()

    yield write
    forget()


def test_a_script_comes_behind_what_it_imports_and_once(folder: Callable[..., None]) -> None:
    folder(
        {
            "a.js": 'import { b } from "./lib/b.js";\nimport { c } from "./lib/c.js";\n',
            "lib/b.js": 'import { c } from "./c.js";\nimport words from "../words.json";\nexport const b = c;\n',
            "lib/c.js": "export const c = 1;\n",
            "words.json": '["one"]',
        }
    )
    assert needed("a.js") == ["lib/c.js", "words.json", "lib/b.js", "a.js"]
    folder({"lib/c.js": 'import { b } from "./b.js";\n'})
    with pytest.raises(ValueError, match=r"circle: a\.js → lib/b\.js → lib/c\.js → lib/b\.js"):
        needed("a.js")


def test_modules_give_each_other_what_they_export(page_factory: Callable, folder: Callable[..., None]) -> None:
    folder(
        {
            "a.js": (
                'import {\n  one as uno,\n  Two,\n} from "./lib/b.js";\nimport css from "./a.css";\n'
                'import data from "./d.json" with { type: "json" };\n'
                "const hidden = 5;\nexport const { sum, rest } = { sum: uno + new Two().value, rest: hidden };\n"
                "export const all = () => [sum, rest, css, data.seven];\n"
            ),
            "a.css": 'b::after { content: "\\2212" }\n',
            "d.json": '{"seven": 7}',
            "lib/b.js": (
                "const hidden = 3;\nexport const one = hidden - 2;\n"
                "export class Two {\n  value = hidden - 1;\n}\n"
                "export function three() {}\nexport async function four() {}\n"
            ),
        }
    )
    page = page_factory()
    page.goto("about:blank")
    for name in needed("a.js"):
        page.add_script_tag(content=in_a_page(name))
    assert page.evaluate('SE["a.js"].all()') == [3, 5, 'b::after { content: "\\2212" }\n', 7]
    assert page.evaluate('Object.keys(SE["lib/b.js"])') == ["one", "Two", "three", "four"]


@pytest.mark.parametrize(
    "text",
    [
        'import * as all from "./b.js";\n',
        'import "./b.js";\n',
        "export default 1;\n",
        "const b = 1;\nexport { b };\n",
        'import { b } from "d3";\n',
        "export const { a: b } = {};\n",
    ],
)
def test_a_form_that_is_not_known_is_refused(folder: Callable[..., None], text: str) -> None:
    folder({"a.js": text, "b.js": ""})
    with pytest.raises(ValueError, match=r"a\.js: write `import"):
        statement("a.js")


def test_a_script_that_would_end_its_element_is_refused(folder: Callable[..., None]) -> None:
    folder({"a.js": 'const a = "</SCRIPT>";\n', "b.js": 'const b = "<!--";\n'})
    for name in ("a.js", "b.js"):
        with pytest.raises(ValueError, match="would end the script element"):
            statement(name)
    with pytest.raises(ValueError, match=r"name must be that of a file of .*, got 'c\.js'"):
        statement("c.js")


def test_the_version_changes_with_any_character_of_what_is_needed(folder: Callable[..., None]) -> None:
    folder({"a.js": 'import { b } from "./b.js";\n', "b.js": "export const b = 1;\n"})
    before = version("a.js")
    assert re.fullmatch("[0-9a-f]{8}", before)
    folder({"b.js": "export const b = 2;\n"})
    assert version("a.js") != before


def test_what_is_stored_does_not_depend_on_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One changed character in core.js changes no notebook, and every page shows it."""
    shown = Squeeze()._repr_html_()
    page = with_scripts(Squeeze().element(), in_a_page)
    real = scripts.source

    def changed(name: str) -> str:
        return real(name) + ("// one more line\n" if name == "lib/core.js" else "")

    forget()
    monkeypatch.setattr(scripts, "source", changed)
    try:
        again = Squeeze()._repr_html_()
        assert shown != again and version("squeeze.js") in again
        assert stored(shown) == stored(again) == Squeeze().element()
        assert with_scripts(Squeeze().element(), in_a_page) != page
    finally:
        monkeypatch.undo()
        forget()


def test_other_html_is_stored_as_it_is() -> None:
    html = '<table class="se-block-0123456">\n<script>1</script> se-squeeze-01234567'
    assert stored(html) == html


def test_nbval_compares_what_is_stored(root: Path) -> None:
    """A cell that is run shows its script too; both sides are compared without."""
    from nbval.plugin import get_sanitize_patterns

    assert tuple(get_sanitize_patterns((root / "tests" / "nbval.cfg").read_text(encoding="utf-8"))) == scripts.STORED


def test_a_page_gets_each_script_once() -> None:
    figure = Squeeze().element()
    html = with_scripts(f"<se-unknown></se-unknown>{figure}<p>text</p>{figure}", lambda name: f"[{name}]")
    names = re.findall(r"\[([\w/.]+)\]", html)
    assert names == needed("squeeze.js") and "lib/core.js" in names
    assert html.index("</se-squeeze>") < html.index("[lib/core.js]") < html.index("<p>text")


OLD = """(() => {
  globalThis.SE = { h: () => { throw new Error("the old core is asked"); }, figure: () => {} };
  customElements.define("se-squeeze", class extends HTMLElement {
    connectedCallback() { this.textContent = "old"; }
  });
})();"""


def test_an_old_figure_cannot_break_a_new_one(page_factory: Callable) -> None:
    """Two cores on a page: of an older version, which has taken the element's name, and of this one."""
    page = page_factory()
    page.set_content(f"<se-squeeze></se-squeeze><script>{OLD}</script>{Squeeze()._repr_html_()}")
    tag = f"se-squeeze-{version('squeeze.js')}"
    assert page.locator("se-squeeze").inner_text() == "old"
    page.locator(tag).get_by_role("button", name="Clear").click()
    page.wait_for_function(f"document.querySelector('{tag}').shadowRoot.textContent.includes('0.00')")


def test_run_again_in_a_notebook_it_moves_again(page_factory: Callable) -> None:
    """The same version twice: the second one finds its elements defined."""
    page = page_factory()
    figure = Squeeze()._repr_html_()
    page.set_content(figure + figure)
    assert page.get_by_role("heading", name="Paint a map").count() == 2


def test_without_its_script_a_figure_says_when_it_moves(page_factory: Callable) -> None:
    page = page_factory(java_script_enabled=False)
    page.set_content(stored(Squeeze()._repr_html_()))
    assert page.locator("se-squeeze").inner_text().endswith("when this cell is run, or the notebook is trusted.")


def test_scripts_are_written_without_pytorch() -> None:
    """A page of the book needs no network to be built."""
    path = Path(scripts.__file__)
    code = (
        "import importlib.util, sys; spec = importlib.util.spec_from_file_location('scripts', sys.argv[1]); "
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); "
        "print(len(module.in_a_cell('squeeze.js')), 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert out.split() == [str(len(in_a_cell("squeeze.js"))), "False"]
