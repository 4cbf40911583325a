"""A small survey of two methods, and a browser."""

import os
import shutil

import pytest
import torch
from small_survey import write_results

from videomdm.survey import make


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("motions"))


@pytest.fixture(scope="session")
def drawn(results, tmp_path_factory):
    """A survey of 6 participants with 3 pairs and one attention check each; not to be written to."""
    folder = tmp_path_factory.mktemp("survey")
    make.make(folder, results, make.Settings(participants=6, pairs=3, checks=1, seed=3))
    return folder


@pytest.fixture
def survey(drawn, tmp_path):
    """A copy of it for one test."""
    return shutil.copytree(drawn, tmp_path / "survey")


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, driven by Playwright, which brings no browser of its own here."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs a browser: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        chrome = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield chrome
        chrome.close()


@pytest.fixture
def page(browser):
    """A page of its own profile; an error in its script fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(20_000)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    yield page
    context.close()
    assert not errors


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
