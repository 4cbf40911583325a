"""Papermill runs scripts, from wherever it is started."""

import json
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

from videomdm.conventions import DataError
from videomdm.pages.papermill_io import handler, read_script
from videomdm.pages.parameters import check_parameters

pytestmark = pytest.mark.slow

PAGES = [
    page
    for page in sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))
    if 'tags=["parameters"]' in page.read_text()
]

SCRIPT = """\
# %% [markdown]
# # A page

# %% tags=["parameters"]
steps: int = 1
folder: str | None = None  # of videos
moving: bool = False
height: float | None = None

# %%
from videomdm.pages.parameters import check_parameters

check_parameters(globals())
print("steps", steps)
if folder or moving or height:
    print((folder, moving, height))
"""


def papermill(*arguments, cwd):
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def source_of(path):
    return [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


@pytest.fixture
def project(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "notebooks" / "page.py").write_text(SCRIPT)
    return tmp_path


class TestReadScript:
    def test_cells_tags_and_kernel(self):
        notebook = nbformat.reads(read_script(SCRIPT), as_version=4)
        assert [c.cell_type for c in notebook.cells] == ["markdown", "code", "code"]
        assert notebook.cells[1].metadata.tags == ["parameters"]
        assert notebook.metadata.kernelspec.name == "python3"
        nbformat.validate(notebook)

    def test_keeps_a_kernel_that_is_named(self):
        header = "# ---\n# jupyter:\n#   kernelspec:\n#     name: mine\n#     display_name: Mine\n# ---\n\n"
        assert json.loads(read_script(header + SCRIPT))["metadata"]["kernelspec"]["name"] == "mine"


class TestHandler:
    def test_refuses_to_write_a_script(self, project):
        path = project / "notebooks" / "page.py"
        with pytest.raises(ValueError, match=r"page\.py.*\.ipynb"):
            handler.write("{}", str(path))
        assert path.read_text() == SCRIPT

    def test_leaves_notebooks_alone(self, tmp_path):
        path = tmp_path / "a.ipynb"
        handler.write("text", str(path))
        assert handler.read(str(path)) == "text"


@pytest.mark.slow
class TestCommand:
    @pytest.mark.parametrize(
        ("folder", "start"),
        [
            ("", "notebooks/page.py"),
            ("", "./notebooks/page.py"),
            ("notebooks", "page.py"),
            ("other", "../notebooks/page.py"),
            ("other", "{project}/notebooks/page.py"),
        ],
    )
    def test_every_kind_of_path(self, project, folder, start):
        out = project / "out.ipynb"
        done = papermill("--prepare-only", start.format(project=project), out, "-p", "steps", 3, cwd=project / folder)
        assert done.returncode == 0, done.stderr
        assert "UserWarning" not in done.stderr
        assert any("steps = 3" in source for source in source_of(out))

    def test_runs_in_another_folder(self, project):
        done = papermill("notebooks/page.py", "out.ipynb", "-p", "steps", 3, "--cwd", "other", cwd=project)
        assert done.returncode == 0, done.stderr
        last = nbformat.read(project / "out.ipynb", as_version=4).cells[-1]
        assert last.outputs[0].text == "steps 3\n"

    def test_a_misspelt_parameter_fails(self, project):
        done = papermill("notebooks/page.py", "out.ipynb", "-p", "stpes", 3, cwd=project)
        assert done.returncode == 1
        assert "unknown parameter stpes; known: folder, height, moving, steps" in done.stderr

    def test_values_are_what_was_typed(self, project):
        """Papermill makes 202406 of 2024_06, and leaves false a text."""
        given = ["-p", "folder", "2024_06", "-p", "moving", "false", "-p", "height", "1.750", "-p", "steps", "8.0"]
        done = papermill("notebooks/page.py", "out.ipynb", *given, cwd=project)
        assert done.returncode == 0, done.stderr
        assert "unknown" not in done.stderr
        last = nbformat.read(project / "out.ipynb", as_version=4).cells[-1]
        assert last.outputs[0].text == "steps 8\n('2024_06', False, 1.75)\n"

    def test_raw_texts_and_yaml(self, project):
        given = ["-r", "folder", "0012", "-p", "folder", "7", "-y", "{moving: true, steps: 3}"]
        done = papermill("notebooks/page.py", "out.ipynb", *given, cwd=project)
        assert done.returncode == 0, done.stderr
        last = nbformat.read(project / "out.ipynb", as_version=4).cells[-1]
        assert last.outputs[0].text == "steps 3\n('0012', True, None)\n"

    def test_a_number_that_is_no_text_fails(self, project):
        done = papermill("notebooks/page.py", "out.ipynb", "-y", "folder: 2024_06", cwd=project)
        assert done.returncode == 1
        assert "DataError: folder is 202406, expected text; papermill's -r folder TEXT gives it" in done.stderr


class TestCheckParameters:
    def test_values_become_what_their_types_say(self):
        page = {"__annotations__": {"steps": int, "root": str | None}, "steps": "8", "root": "None"}
        page |= {"json": json, "_dh": [], "In": [], "Out": {}}
        check_parameters(page)
        assert page["steps"] == 8 and page["root"] is None

    def test_unknown_is_named(self):
        with pytest.raises(DataError, match="unknown parameter sed; known: seed"):
            check_parameters({"__annotations__": {"seed": int}, "seed": 0, "sed": 1})

    @pytest.mark.parametrize(
        ("typed", "made", "message"),
        [
            ("1,75", "1,75", "height is '1,75', expected a number with a point, such as 1.75"),
            ("true", "true", "height is 'true', expected a number such as 1.75"),
            ("True", True, "height is 'True', expected a number such as 1.75"),
            ("2024_06", 202406, "height is '2024_06', expected a number such as 1.75"),
            ("", "", "height is '', expected a number such as 1.75, or none"),
        ],
    )
    def test_a_value_of_another_type_is_refused(self, monkeypatch, typed, made, message):
        monkeypatch.setenv("VIDEOMDM_PAGE_PARAMETERS", json.dumps({"height": typed}))
        with pytest.raises(DataError, match=f"^{message}$"):
            check_parameters({"__annotations__": {"height": float | None}, "height": made})

    def test_what_was_typed_is_for_one_page_alone(self, monkeypatch):
        monkeypatch.setenv("VIDEOMDM_PAGE_PARAMETERS", '{"folder": "2024_06"}')
        page = {"__annotations__": {"folder": str}, "folder": 202406}
        check_parameters(page)
        assert page["folder"] == "2024_06"
        other = {"__annotations__": {"folder": str}, "folder": "default"}
        check_parameters(other)
        assert other["folder"] == "default"

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
    def test_every_page_declares_what_it_takes(self, page):
        cells = jupytext.read(page, fmt="py:percent").cells
        at = next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
        namespace = {}
        exec(cells[at].source, namespace)
        defaults = dict(namespace)
        check_parameters(namespace)
        assert namespace.keys() - {"__builtins__", "__annotations__"} == namespace["__annotations__"].keys()
        assert namespace == defaults
        first = "".join(cell.source for cell in cells[at + 1 : at + 4])
        assert "check_parameters(globals())" in first and "from videomdm.pages.parameters import" in first
