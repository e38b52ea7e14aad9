"""What pyproject.toml cannot say: the version has the commit in it, and so has what is built."""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

VERSION: str = runpy.run_path(str(Path(__file__).with_name("edge") / "version.py"))["version"]()
_, _, COMMIT = VERSION.partition("+g")


def stamp(root: str) -> None:
    """Write the commit beside the program in `root`."""
    file = Path(root, "edge", "commit")
    if file.parent.exists() and COMMIT:
        file.unlink(missing_ok=True)  # it may be a link to the source
        file.write_text(COMMIT.replace(".", "-") + "\n", encoding="ascii")


class StampedBuild(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            stamp(self.build_lib)


class StampedSource(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        stamp(base_dir)


setup(version=VERSION, cmdclass={"build_py": StampedBuild, "sdist": StampedSource})
