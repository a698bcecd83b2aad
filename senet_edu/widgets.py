"""Live controls for notebooks with a kernel; the rendered page keeps a still picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from senet_edu.extras import extra

with extra("book"):
    import ipywidgets
    from IPython.display import DisplayHandle, display


def _show(widget: ipywidgets.Widget) -> None:
    """Show a widget where a kernel is live. Unlike `display(widget)`, it leaves no text behind where none is."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    display({"application/vnd.jupyter.widget-view+json": view}, raw=True)


def explore(draw: Callable[..., Any], **controls: ipywidgets.Widget) -> None:
    """Show what `draw` returns for the controls' values, and draw it again whenever one changes.

    Args:
        draw: takes each control's value by keyword, returns something to display such as a `plots.Picture`.
        controls: ipywidgets with a `value`. Sliders should have `continuous_update=False` where drawing is slow.
    """

    def values() -> dict[str, Any]:
        return {name: control.value for name, control in controls.items()}

    handle: DisplayHandle = display(draw(**values()), display_id=True)
    for control in controls.values():
        control.observe(lambda change: handle.update(draw(**values())), names="value")
    _show(ipywidgets.VBox(list(controls.values())))
