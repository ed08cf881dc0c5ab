"""Runs the cells of a notebook, without Jupyter.

`python tests/support/notebook.py examples/results.ipynb`, in a folder with the store `runs` of
`fairdarts sweep run quickstart`, runs the notebook and writes its outputs into it.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

Output = dict[str, Any]


def run_notebook(path: Path) -> dict[str, Any]:
    """The notebook with the outputs that its cells have now; the first error is raised."""
    import matplotlib

    matplotlib.use("agg")
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    names: dict[str, Any] = {}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, start=1):
        cell |= {"execution_count": number, "outputs": _run("".join(cell["source"]), names, number)}
    return notebook


def _run(source: str, names: dict[str, Any], number: int) -> list[Output]:
    """Run one cell; the value of a last expression is its output, and so is what is drawn."""
    from matplotlib import pyplot

    *others, last = ast.parse(source).body
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(others, []), "<cell>", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
        else:
            exec(compile(ast.Module([*others, last], []), "<cell>", "exec"), names)
    outputs: list[Output] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
    if pyplot.get_fignums():
        image = io.BytesIO()
        pyplot.savefig(image, format="png", dpi=60)
        pyplot.close("all")
        data = {"image/png": base64.b64encode(image.getvalue()).decode()}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    elif value is not None:
        data = {"text/plain": repr(value)}
        if hasattr(value, "to_html"):
            data["text/html"] = value.to_html(max_rows=12)
        result = {"output_type": "execute_result", "execution_count": number, "metadata": {}}
        outputs.append(result | {"data": data})
    return outputs


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(json.dumps(run_notebook(file), indent=1, ensure_ascii=False) + "\n", "utf-8")
