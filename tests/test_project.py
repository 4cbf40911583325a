"""What holds the repository's parts together: pins, stored notebooks, the book's pages."""

import importlib.util
import json
import pkgutil
import re
import subprocess
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from sphinx.ext.napoleon import Config, GoogleDocstring

import videomdm

ROOT = Path(__file__).parents[1]
STORED = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("book/runs/*.ipynb")])
PAIRS = sorted(ROOT.glob("notebooks/explain_*.py"))


def extension(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "book" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestPins:
    pins = (ROOT / "constraints.txt").read_text().split()

    def test_environment_has_the_same_pins(self):
        environment = yaml.safe_load((ROOT / "environment.yml").read_text())
        *pins, package = environment["dependencies"][-1]["pip"]
        assert pins == self.pins
        assert package == "-e .[dev]"

    def test_pins_are_plain_versions(self):
        wrong = [pin for pin in self.pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)]
        assert not wrong

    def test_all_direct_dependencies_are_pinned(self):
        tomllib = pytest.importorskip("tomllib")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        extras = project["optional-dependencies"]
        wanted = project["dependencies"] + extras["book"] + extras["clip"] + extras["dev"]
        names = {re.match(r"[\w-]+", w)[0].lower() for w in wanted} - {"videomdm"}
        assert names <= {pin.split("==")[0].lower() for pin in self.pins}


def test_no_test_file_imports_another():
    """What several share lies in a file of its own beside them, so that tests can be moved and run alone."""
    wrong = [
        path.name
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if re.search(r"^\s*(from|import) test_", path.read_text(), re.M)
    ]
    assert not wrong


class TestStoredNotebooks:
    def test_there_is_one(self):
        assert PAIRS

    @pytest.mark.parametrize("script", PAIRS, ids=lambda p: p.name)
    def test_pair_agrees_and_has_outputs(self, script):
        source = jupytext.read(script, fmt="py:percent")
        stored = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
        want = [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in source.cells]
        have = [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in stored.cells]
        assert have == want, "run `make notebooks`"
        code = [c for c in stored.cells if c.cell_type == "code"]
        assert all(c.execution_count for c in code), "run `make notebooks`"
        assert not [o for c in code for o in c.outputs if o.output_type == "error"]
        compared = [c for c in code if "NBVAL_CHECK_OUTPUT" in c.source]
        assert compared, "no cell is compared: tag those that print numbers with # NBVAL_CHECK_OUTPUT"
        assert all(c.outputs for c in compared)

    def test_the_page_that_shows_other_peoples_films_is_not_stored(self):
        page = "notebooks/lift_real_recordings"
        assert (ROOT / f"{page}.py").is_file() and f"/{page}.ipynb" in (ROOT / ".gitignore").read_text().split()
        tracked = subprocess.run(["git", "ls-files", f"{page}.ipynb"], cwd=ROOT, capture_output=True, text=True)
        assert tracked.stdout == ""

    @pytest.mark.parametrize("path", STORED, ids=lambda p: p.name)
    def test_is_small_enough_to_keep(self, path):
        assert "videomdm-plotly-js" not in path.read_text(), "execute it with VIDEOMDM_PLOTLY_JS=page"
        assert path.stat().st_size < 3_000_000


class TestBook:
    def test_rooms_stand_in_the_order_of_the_layers(self):
        pages = extension("package_pages")
        rooms = pages.rooms((ROOT / "pyproject.toml").read_text())
        assert rooms[0] == "videomdm.conventions" and rooms.index("videomdm.data") < rooms.index("videomdm.train")
        there = {m.name for m in pkgutil.iter_modules(videomdm.__path__, "videomdm.")}
        assert set(rooms) == there

    @pytest.mark.parametrize(
        ("name", "home"),
        [
            ("videomdm.cameras.Camera", "videomdm.cameras.camera.Camera"),
            ("videomdm.cameras.Camera.project", "videomdm.cameras.camera.Camera.project"),
            ("videomdm.sample.generation.Prior.sampler", "videomdm.sample.prior.Prior.sampler"),
            ("videomdm.features.encode", "videomdm.features.representation.encode"),
            ("videomdm.features.representation.encode", None),
            ("videomdm.cameras.no_such_thing", None),
            ("torch.Tensor", None),
            (".Tensor", None),
            ("videomdm.cameras.camera.no_such_module.thing", None),
        ],
    )
    def test_names_that_a_folder_hands_on_are_found_where_they_are_defined(self, name, home):
        assert extension("package_pages").home(name) == home

    def test_contents_exist(self):
        text = (ROOT / "book" / "_toc.yml").read_text()
        files = re.findall(r"(?:file|root): (\S+)", text)
        missing = [f for f in files if not any((ROOT / "book" / f"{f}{s}").exists() for s in (".md", ".py", ".ipynb"))]
        assert files and not missing

    def test_fingerprint_follows_package_and_results(self, tmp_path):
        package_cache = extension("package_cache")
        package_cache.ROOT = tmp_path
        module, result = tmp_path / "videomdm" / "a" / "b.py", tmp_path / "results" / "x" / "y.json"
        seen = {package_cache.fingerprint()}
        for path, text in ((module, "1"), (module, "2"), (result, "{}"), (result, "[]")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            seen.add(package_cache.fingerprint())
        assert len(seen) == 5

    def test_fingerprint_follows_whether_recordings_are_there(self, tmp_path, monkeypatch):
        package_cache = extension("package_cache")
        package_cache.ROOT = tmp_path
        monkeypatch.setenv("VIDEOMDM_DATA", str(tmp_path))
        without = package_cache.fingerprint()
        (tmp_path / "real").mkdir()
        assert package_cache.fingerprint() != without

    def test_pages_side_by_side_are_made_of_what_is_stored(self, tmp_path):
        linked = set()
        for page in [*ROOT.glob("notebooks/*.py"), *ROOT.glob("book/runs/*.ipynb")]:
            linked |= set(re.findall(r"_static/compare/(\w+)\.html", page.read_text()))
        assert linked == {made.parent.name for made in ROOT.glob("results/motions/*/made.json")} != set()
        for name in linked:
            folder = ROOT / "results" / "motions" / name
            about = json.loads((folder / "made.json").read_text())
            assert about["data"] == "procedural" and set(about["methods"]) == {p.stem for p in folder.glob("*.npz")}
            assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
            extension("side_by_side").write(folder, tmp_path / f"{name}.html")
            text = (tmp_path / f"{name}.html").read_text()
            shown = json.loads(text.split('id="data">')[1].split("</script>")[0])
            assert shown["methods"] == [method for method in about["methods"] if method != "truth"]
            assert all((scene["truth"] is None) == ("truth" not in about["methods"]) for scene in shown["scenes"])

    def test_docstrings_keep_their_shapes_and_norms(self):
        lines = ["points (*batch, 3) with |x| > 0, *really*, ``|y|`` and (**kwargs)"]
        extension("plain_docstrings").escape(None, "", "", None, None, lines)
        assert lines == [r"points (\*batch, 3) with \|x\| > 0, *really*, ``|y|`` and (**kwargs)"]

    def test_a_constants_sentence_keeps_its_colon(self):
        plain = extension("plain_docstrings")
        sentence = "The mean of the largest of three sines: it puts the mean right."
        given = "data", "videomdm.X", None, None
        lines = [sentence]
        plain.hold(None, *given, lines)
        lines[:] = GoogleDocstring(lines, Config(), None, "data", "videomdm.X").lines()
        plain.give_back(None, *given, lines)
        assert lines == [sentence]
