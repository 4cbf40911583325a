"""Papermill runs scripts, from wherever it is started."""

import json
import subprocess
import sys

import nbformat
import pytest

from videomdm.pages.papermill_io import check_parameters, handler, read_script

SCRIPT = """\
# %% [markdown]
# # A page

# %% tags=["parameters"]
steps = 1

# %%
from videomdm.pages.papermill_io import check_parameters

check_parameters(globals(), ["steps"])
print("steps", steps)
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
        assert "unknown parameter stpes; known: steps" in done.stderr


class TestCheckParameters:
    def test_known_names_modules_and_private_ones_pass(self):
        check_parameters({"steps": 1, "json": json, "_dh": [], "In": [], "Out": {}}, ["steps"])

    def test_unknown_is_named(self):
        with pytest.raises(ValueError, match="unknown parameter sed; known: seed"):
            check_parameters({"seed": 0, "sed": 1}, ["seed"])
