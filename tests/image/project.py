"""The project of docker-compose.yml, as Docker runs it.

Rule: nothing but the check's own project is touched. Where an image cannot be pulled, one of
Debian's packages stands in for it, under a name of its own; each such substitute is said.
"""

from __future__ import annotations

import json
import re
import resource
import shlex
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.image.check import ask, expect
from tests.image.engine import CERTIFICATES, PULL_SECONDS, CheckFailedError, run, say
from tests.imports import ROOT

PROJECT = "cafe-check"
STANDIN = "localhost/cafe-check-of-debian"
SCRIPTS = ROOT / "tests/image/standins"
PACKAGES = (
    "python3,python3-venv,python-is-python3,ca-certificates,libstdc++6,"
    "postgresql,nginx-light,python3-aiosmtpd,redis-server,haproxy"
)
AS_USUAL = """set -e; cd "$1"; rm -rf var/lib/nginx; mkdir -p var/cache/nginx
ln -s /var/cache/nginx var/lib/nginx
for program in usr/lib/postgresql/*/bin/*; do ln -s "/$program" usr/local/bin/; done
ln -sf /dev/stdout var/log/nginx/access.log; ln -sf /dev/stderr var/log/nginx/error.log"""
"""Files are where the usual images have them."""
INSTEAD: dict[str, dict[str, Any]] = {
    "postgres": {
        "entrypoint": ["sh", "/postgres.sh"],
        "stop_signal": "SIGINT",
        "volumes": [f"{SCRIPTS}/postgres.sh:/postgres.sh:ro"],
    },
    "proxy": {"stop_signal": "SIGQUIT"},
    "redis": {},
    "balancer": {"stop_signal": "SIGUSR1"},
    "mail": {
        "entrypoint": ["python3", "/mail.py"],
        "volumes": [f"{SCRIPTS}/mail.py:/mail.py:ro"],
    },
}
"""How the stand-in is started in place of a service's image."""
CUSTOMERS = "http://127.0.0.1:8080"
READY = f"{CUSTOMERS}/readyz"
GRACE = 10.0
"""Seconds from SIGTERM to SIGKILL in the compose file."""


class Compose:
    """Runs `docker compose` on the compose file, with what differs on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._override = folder / "override.yml"

    def command(self, *profiles: str) -> list[str]:
        """Return `docker compose` with the files of these profiles."""
        files = [f"--file={ROOT / 'docker-compose.yml'}", f"--file={self._override}"]
        files += [f"--env-file={ROOT / f'docker-compose.{name}.env'}" for name in profiles]
        return ["docker", "compose", f"--project-name={PROJECT}", *files]

    def __call__(self, *words: str, profile: str = "") -> str:
        """Run `docker compose` with these arguments, and return what it prints."""
        done = run([*self.command(*filter(None, [profile])), *words])
        return done.stdout + done.stderr

    def type(self, line: str, profile: str = "") -> str:
        """Run a line of a page as an operator types it in a shell."""
        usual = r"docker compose( --env-file \S+)*"
        ours = shlex.join(self.command(*filter(None, [profile])))
        return run(["sh", "-c", f"cd {self._folder} && {re.sub(usual, ours, line)}"]).stdout

    def prepare(self) -> None:
        """Write what differs on this machine; pull the images, or make what stands in for them."""
        text = (ROOT / "docker-compose.yml").read_text("utf-8")
        services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
        (base,) = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        changes: dict[str, dict[str, Any]] = {name: {} for name in services}
        missing = [name for name, one in services.items() if not self._has(one.get("image", base))]
        if missing:
            say(f"SUBSTITUTE  for the images of {', '.join(missing)}, which cannot be pulled")
            self._make_standin()
        for name in missing:
            if "build" in services[name]:
                changes[name] = {"build": {"args": {"BASE": STANDIN}}}
            else:
                changes[name] = {"image": STANDIN, **INSTEAD[name]}
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        wanted = services["cafe"]["ulimits"]["nofile"]["hard"]
        if files != resource.RLIM_INFINITY and files < wanted:
            say(f"SUBSTITUTE  for {wanted} descriptors: this machine allows {files}")
            for name in [name for name, one in services.items() if "ulimits" in one]:
                changes[name]["ulimits"] = {"nofile": {"soft": files, "hard": files}}
        self._override.write_text(json.dumps({"services": changes}), "utf-8")

    @staticmethod
    def _has(image: str) -> bool:
        return answers(["docker", "image", "inspect", image]) or answers(["docker", "pull", image])

    def _make_standin(self) -> None:
        if answers(["docker", "image", "inspect", STANDIN]):
            return
        if shutil.which("mmdebstrap") is None:
            raise CheckFailedError("without mmdebstrap nothing can stand in for an image")
        archive = self._folder / "standin.tar"
        options = [f"--include={PACKAGES}", f"--customize-hook={AS_USUAL}"]
        if CERTIFICATES.exists():  # a build goes through this machine's proxy, too
            options.append(f"--customize-hook=upload {CERTIFICATES} {CERTIFICATES}")
        run(["mmdebstrap", "--variant=essential", *options, "trixie", str(archive)])
        run(["docker", "import", str(archive), STANDIN])
        archive.unlink()

    @contextmanager
    def up(self, profile: str = "", ready: str = READY) -> Generator[None]:
        """Have the services of a profile, and a ledger that is new, during the block."""
        try:
            self.start(profile, ready)
            yield
        except CheckFailedError as error:
            logs = self("logs", profile=profile)[-3000:]
            raise CheckFailedError(f"{profile or 'default'}: {error}\n{logs}") from error
        finally:
            self("down", "--volumes", "--rmi=local", profile=profile)

    def start(self, profile: str, ready: str = READY) -> None:
        """Start the services; return once the shop takes orders, which `ready` answers with 200."""
        self("up", "--build", "--detach", profile=profile)
        wait_for(ready)

    def stop(self, profile: str = "") -> float:
        """Stop the shop, which has to end by itself; return the seconds that took."""
        began = time.monotonic()
        self("stop", "cafe", profile=profile)
        seconds = time.monotonic() - began
        label = "label=com.docker.compose"
        mine = [f"--filter={label}.project={PROJECT}", f"--filter={label}.service=cafe"]
        shop = run(["docker", "ps", "--all", "--quiet", *mine]).stdout.strip()
        code = run(["docker", "inspect", "--format={{.State.ExitCode}}", shop]).stdout.strip()
        expect(code == "0" and seconds < GRACE, f"exit code {code} after {seconds:.1f} s")
        return seconds


def docker_is_here() -> bool:
    """Return whether a daemon answers, and `docker compose` is installed."""
    return answers(["docker", "info"]) and answers(["docker", "compose", "version"])


def answers(command: list[str]) -> bool:
    """Return whether a command is there and succeeds in a minute."""
    try:
        run(command, timeout=PULL_SECONDS)
    except (CheckFailedError, FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return True


def wait_for(url: str, seconds: float = 60.0) -> Any:
    """Return what a server answers as soon as it answers with 200."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask(url)
        except OSError as error:  # of urllib, too
            expect(time.monotonic() < deadline, f"{url} after {seconds:g} s: {error}")
            time.sleep(0.2)
