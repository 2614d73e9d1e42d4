"""Containers as `make image-check` builds and runs them: buildah and podman, on storage of its own.

Rule: nothing of the machine's own images and containers is touched, and nothing is left. Where the
usual base image cannot be pulled, one is made of Debian's packages; each such substitute is said.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.imports import ROOT

TOOLS = ("buildah", "podman", "runc")
PULL_SECONDS = 60.0
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""What this machine trusts; a build that goes through its proxy has to trust the same."""
SUBSTITUTE = "localhost/python-of-debian"
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates,libstdc++6"
"""What python:3.13-slim-bookworm has, as far as the shop needs it: plotext is C++."""
UNCOMPILE = 'find "$1"/usr/lib/python3* -name "*.pyc" -delete'
"""The usual base has a standard library that is not compiled."""
NEW_FLAG = " --start-interval=1s"
"""Of HEALTHCHECK; buildah knows it since 1.37, and refuses the Dockerfile before."""


class CheckFailedError(Exception):
    """The image breaks a promise; the message says which."""


def missing_tools() -> list[str]:
    """Return what has to be installed first."""
    return [
        tool for tool in TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - the program's output


class Engine:
    """Builds images and runs containers in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._storage = [
            f"--root={folder / 'storage'}",
            f"--runroot={folder / 'run'}",
            f"--storage-driver={os.environ.get('STORAGE_DRIVER', 'overlay')}",
        ]
        # Said, because the engines' defaults are above what an unprivileged machine allows.
        files, processes = resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1_000
        self._limits = [
            f"--ulimit=nofile={files}:{files}",
            f"--ulimit=nproc={processes}:{processes}",
        ]
        self.base = ""
        self._is_old = self._knows_no_start_interval()

    def buildah(self, *words: str, timeout: float | None = None) -> str:
        """Run buildah, and return what it prints."""
        return run(["buildah", *self._storage, *words], timeout=timeout).stdout

    def podman(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run podman; its exit code has to be `code`, if that is not None."""
        managers = ["--cgroup-manager=cgroupfs", "--runtime=runc"]
        return run(["podman", *self._storage, *managers, *words], code=code)

    def run(
        self, *words: str, options: Sequence[str] = (), code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run the image with these arguments until it ends."""
        return self.podman(
            "run", "--rm", "--no-healthcheck", *self._limits, *options, "cafe", *words, code=code
        )

    @contextmanager
    def serving(self, *options: str) -> Generator[str]:
        """Yield the id of a container of the image that runs in the background during the block."""
        container = self.podman("run", "--detach", *self._limits, *options, "cafe").stdout.strip()
        try:
            yield container
        finally:
            self.podman("rm", "--force", "--volumes", container)

    def find_base(self, usual: str) -> None:
        """Pull the usual base image, or make one of Debian's packages."""
        try:
            self.buildah("pull", usual, timeout=PULL_SECONDS)
        except (CheckFailedError, subprocess.TimeoutExpired):
            pass
        else:
            self.base = usual
            return
        if shutil.which("mmdebstrap") is None:
            raise CheckFailedError(f"{usual} cannot be pulled, and without mmdebstrap none is made")
        say(f"SUBSTITUTE  {usual} cannot be pulled: Debian's Python stands in for it")
        if self.podman("image", "exists", SUBSTITUTE, code=None).returncode:
            archive = str(self._folder / "base.tar")
            options = [f"--include={PACKAGES}", f"--customize-hook={UNCOMPILE}"]
            run(["mmdebstrap", "--variant=essential", *options, "trixie", archive])
            self.podman("import", archive, SUBSTITUTE)
        self.base = SUBSTITUTE

    def build(self, context: Path = ROOT, *, cached: bool) -> None:
        """Build the image from a folder."""
        dockerfile = (context / "Dockerfile").read_text("utf-8")
        if self._is_old:
            dockerfile = dockerfile.replace(NEW_FLAG, "")
        file = self._folder / "Dockerfile"
        file.write_text(dockerfile, "utf-8")
        words = ["--layers", *([] if cached else ["--no-cache"])]
        words += ["--format=docker", "--timestamp=0"]  # OCI's format has no health check
        words += [
            "--isolation=oci",
            "--runtime=runc",
            f"--build-arg=BASE={self.base}",
            *self._limits,
        ]
        if CERTIFICATES.exists():
            words.append(f"--volume={CERTIFICATES}:{CERTIFICATES}:ro")
        self.buildah("build", *words, f"--file={file}", "--tag=cafe", str(context))

    def _knows_no_start_interval(self) -> bool:
        version = self.buildah("--version").split()[2]
        is_old = tuple(int(part) for part in version.split(".")[:2]) < (1, 37)
        if is_old:
            say(f"SUBSTITUTE  buildah {version} does not know{NEW_FLAG}: built without it")
        return is_old

    def inspect(self) -> dict[str, Any]:
        """Return what the engine knows of the image."""
        found: list[dict[str, Any]] = json.loads(self.podman("image", "inspect", "cafe").stdout)
        return found[0]

    def address_of(self, container: str, port: int) -> str:
        """Return where a port of a container is published."""
        return self.podman("port", container, str(port)).stdout.strip()

    def pid_of(self, container: str) -> int:
        """Return the process id that a container's first process has outside."""
        return int(self.podman("inspect", "--format={{.State.Pid}}", container).stdout)

    def wait_healthy(self, container: str, seconds: float = 60.0) -> None:
        """Return once the image's own health check finds the shop alive."""
        deadline = time.monotonic() + seconds
        while self.podman("healthcheck", "run", container, code=None).returncode:
            if time.monotonic() > deadline:
                log = self.podman("logs", container, code=None)
                raise CheckFailedError(f"not healthy after {seconds:g} s: {log.stderr[-2000:]}")
            time.sleep(0.1)


def run(
    command: list[str], *, code: int | None = 0, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command; its exit code has to be `code`, if that is not None."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if code is not None and done.returncode != code:
        said = (done.stdout + done.stderr)[-3000:]
        raise CheckFailedError(f"{' '.join(command)}: exit code {done.returncode}\n{said}")
    return done
