"""Where the text comes from: Debian packages, unpacked into the work folder and never installed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import TrainingError


@dataclass(frozen=True)
class Source:
    """One collection of text.

    name: short name used in passage and query ids.
    package: Debian package to unpack; empty for the package descriptions, which apt itself lists.
    files: glob inside the unpacked package.
    format: which parser of parse.PARSERS reads a file.
    passages: most passages kept, so that no collection drowns the others.
    """

    name: str
    package: str
    files: str
    format: str
    licence: str
    passages: int


SOURCES = (
    Source("packages", "", "*_i18n_Translation-en*", "descriptions", "that of each package", 14000),
    Source("wordnet", "wordnet-base", "usr/share/wordnet/data.*", "wordnet", "WordNet-3.0", 7000),
    Source("foldoc", "dict-foldoc", "usr/share/dictd/*.dz", "dict", "GFDL-1.1+", 6000),
    Source("jargon", "dict-jargon", "usr/share/dictd/*.dz", "dict", "public domain", 800),
    Source(
        "python",
        "python3.11-doc",
        "usr/share/doc/python3.11/html/*/*.html",
        "html",
        "PSF-2.0",
        4000,
    ),
    Source(
        "postgresql", "postgresql-doc-15", "usr/share/doc/*/html/*.html", "html", "PostgreSQL", 3500
    ),
    Source(
        "libreoffice", "libreoffice-help-en-us", "**/en-US/text/**/*.html", "html", "MPL-2.0", 3500
    ),
    Source("scipy", "python-scipy-doc", "**/html/tutorial/**/*.html", "html", "BSD-3-Clause", 500),
    Source("sklearn", "python-sklearn-doc", "**/html/modules/*.html", "html", "BSD-3-Clause", 900),
    Source(
        "sklearn-examples",
        "python-sklearn-doc",
        "**/html/auto_examples/*/*.html",
        "html",
        "BSD-3-Clause",
        600,
    ),
    Source("statsmodels", "python-statsmodels-doc", "**/html/*.html", "html", "BSD-3-Clause", 500),
    Source("octave", "octave-doc", "**/octave.html/*.html", "html", "GPL-3.0+", 1200),
    Source("sqlite", "sqlite3-doc", "usr/share/doc/sqlite3/*.html", "html", "public domain", 1800),
    Source("apache", "apache2-doc", "**/manual/en/**/*.html", "html", "Apache-2.0", 2000),
    Source("gimp", "gimp-help-en", "**/help/en/*.html", "html", "GFDL-1.2+", 2400),
    Source("linux", "linux-doc-6.1", "**/html/**/*.html", "html", "GPL-2.0", 5000),
    Source("dealii", "libdeal.ii-doc", "**/deal.II/step_*.html", "html", "LGPL-2.1+", 1100),
    Source("calculix", "calculix-ccx-doc", "**/ccx/*.html", "html", "GPL-2.0+", 500),
    Source("git", "git-doc", "usr/share/doc/git-doc/*.html", "html", "GPL-2.0", 900),
    Source(
        "handbook",
        "debian-handbook",
        "**/html/en-US/*.html",
        "html",
        "GPL-2.0+ or CC-BY-SA-3.0",
        600,
    ),
    Source("reference", "debian-reference-en", "**/ch*.en.html", "html", "GPL-2.0+", 400),
    Source(
        "man",
        "manpages",
        "usr/share/man/man*/*.gz",
        "man",
        "various free, see its copyright file",
        600,
    ),
    Source(
        "man-dev",
        "manpages-dev",
        "usr/share/man/man*/*.gz",
        "man",
        "various free, see its copyright file",
        1400,
    ),
)


def run(command: list[str], folder: Path) -> None:
    """Run a Debian tool in folder; its last words become the error."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise TrainingError(
            f"{command[0]} not found: preparing the text needs a Debian machine"
        ) from missing
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TrainingError(f"{' '.join(command)} failed with status {done.returncode}: {last}")


def package_lists(work: Path) -> Path:
    """English descriptions, in a private copy of apt's lists: many machines do without them."""
    lists = work / "lists"
    if not any(lists.glob("*Translation-en*")):
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        options = [f"Dir::State::Lists={lists.resolve()}", "Acquire::Languages=en"]
        run(["apt-get", *(f"-o{option}" for option in options), "update"], work)
    return lists


def unpacked(source: Source, work: Path) -> Path:
    """The folder that holds the source's files, fetched and unpacked at the first call."""
    if not source.package:
        return package_lists(work)
    target = work / "unpacked" / source.package
    if not target.is_dir():
        downloads = work / "debs"
        downloads.mkdir(parents=True, exist_ok=True)
        run(["apt-get", "download", source.package], downloads)
        archive = max(
            downloads.glob(f"{source.package}_*.deb"), key=lambda path: path.stat().st_mtime
        )
        partial = target.with_name(target.name + ".partial")
        partial.mkdir(parents=True, exist_ok=True)
        run(["dpkg-deb", "-x", str(archive.resolve()), str(partial.resolve())], work)
        partial.rename(target)
    return target


def files_of(source: Source, work: Path) -> list[Path]:
    """The source's files in a fixed order."""
    found = sorted(path for path in unpacked(source, work).glob(source.files) if path.is_file())
    if not found:
        raise TrainingError(f"source {source.name}: no file matches {source.files}")
    return found
