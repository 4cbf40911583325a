"""Execute pages again when the package or a result changed; the execution cache itself sees cells only."""

import hashlib
import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def recordings() -> Path:
    """Films that one page shows where they are there."""
    return Path(os.environ.get("VIDEOMDM_DATA", "no data"), "real")


def fingerprint() -> str:
    """A hash of everything outside a page that its numbers depend on."""
    digest = hashlib.sha256(str(recordings().is_dir()).encode())
    for path in sorted([*ROOT.glob("videomdm/**/*.py"), *ROOT.glob("results/**/*.json")]):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def forget_executions(app, config):
    cache = Path(config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache")
    stamp = cache.with_name("package_fingerprint")
    app.package_changed = not stamp.exists() or stamp.read_text() != fingerprint()
    if app.package_changed:
        shutil.rmtree(cache, ignore_errors=True)


def read_again(app, env, added, changed, removed):
    return [name for name in env.found_docs if name.startswith(("notebooks/", "api/"))] if app.package_changed else []


def remember(app, exception):
    if exception is None:
        Path(app.outdir).parent.joinpath("package_fingerprint").write_text(fingerprint())


def setup(app):
    app.connect("config-inited", forget_executions, priority=100)
    app.connect("env-get-outdated", read_again)
    app.connect("build-finished", remember)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
