"""`make image-check`: builds the image, runs it as operators do, and measures it.

Rule: what a check promises is its name. It prints a line for each with what it has measured, says
what it could not do as it is done elsewhere, and ends with exit code 1 at the first broken promise.
The container has a read-only root, no capabilities, and its ports are published from a bridge.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trustme

from tests.image.engine import CheckFailedError, Engine, missing_tools, run, say
from tests.imports import ROOT

TOKEN = "open-sesame-4711"
LEDGER = "cafe-ledger"
RESTRICTED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--publish=127.0.0.1::8080",
    "--publish=127.0.0.1::8081",
)
CODE_MIB = 10
"""A change of our code pushes less than this."""
PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
GLIBC = ("linux_2_28", "linux_2_27", "linux_2_26", "linux_2_17", "linux2014", "linux_2_5", "linux1")
"""What wheels ask for that the base's C library fulfils."""
HEALTH_COST = """
import resource, subprocess
for _ in range(5):
    subprocess.run(["cafe", "health"], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print((used.ru_utime + used.ru_stime) / 5)
"""
UNCOMPILED = """
import os, sys
import cafe.cli.commands, cafe.cli.opening, cafe.cli.serve
for name, module in sorted(sys.modules.items()):
    source = getattr(module, "__file__", None) or ""
    cached = getattr(module, "__cached__", None)
    if getattr(module.__spec__, "origin", None) == "frozen":
        continue
    if source.endswith(".py") and not (cached and os.path.exists(cached)):
        print(name)
"""


def expect(holds: object, otherwise: str) -> None:
    """Raise CheckFailedError unless this holds."""
    if not holds:
        raise CheckFailedError(otherwise)


def layers_of(engine: Engine) -> list[str]:
    """Return the digests of the image's layers."""
    layers: list[str] = engine.inspect()["RootFS"]["Layers"]
    return layers


def the_lock_has_wheels_for_the_platforms_that_are_stated(_: Engine) -> str:
    lock = ROOT / "requirements-image.lock"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    for machine in PLATFORMS.values():
        tags = [f"--platform=many{glibc}_{machine}" for glibc in GLIBC]
        with tempfile.TemporaryDirectory() as folder:
            where = [f"--dest={folder}", f"--requirement={lock}"]
            run([*pip, "--only-binary=:all:", "--python-version=3.13", *tags, *where])
    return ", ".join(PLATFORMS)


def it_builds(engine: Engine) -> str:
    began = time.monotonic()
    engine.build(cached=True)
    size = int(engine.inspect()["Size"]) / 2**20
    return f"{time.monotonic() - began:.0f} s, {size:.0f} MiB with its base"


def built_twice_its_layers_have_the_same_digests(engine: Engine) -> str:
    """The image's own digest is another: buildah notes its intermediate images in the history."""
    first = layers_of(engine)
    engine.build(cached=False)
    expect(layers_of(engine) == first, "other layers, from the same sources")
    return f"{len(first)} layers"


def a_change_of_code_changes_one_layer(engine: Engine) -> str:
    before = layers_of(engine)
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder, "context")
        caches = shutil.ignore_patterns(".*", "__pycache__")
        shutil.copytree(ROOT, context, ignore=caches)
        shutil.copy(ROOT / ".dockerignore", context)
        (context / "cafe/names.py").open("a").write("CHANGED = True\n")
        engine.build(context, cached=True)
        after = layers_of(engine)
        engine.build(cached=True)
    changed = [one for one in after if one not in before]
    expect(len(changed) == 1 and after[-1] == changed[0], f"{len(changed)} layers changed")
    history = engine.podman("history", "--format=json", "cafe").stdout
    size = next(one["size"] for one in json.loads(history) if one["size"]) / 2**20
    expect(size < CODE_MIB, f"{size:.1f} MiB")
    return f"{size:.1f} MiB, uncompressed"


def it_has_labels(engine: Engine) -> str:
    labels: dict[str, str] = engine.inspect()["Labels"]
    ours = {
        name.rpartition("image.")[2]: text
        for name, text in labels.items()
        if "opencontainers" in name
    }
    wanted = {"title", "description", "licenses", "version", "revision", "base.name"}
    expect(ours.keys() == wanted, f"{sorted(ours)}")
    return ", ".join(sorted(ours))


def its_baristas_port_is_not_open_by_accident(engine: Engine) -> str:
    said = engine.run(code=2).stderr
    expect("set CAFE_WORKER_TOKEN, or CAFE_WORKER_AUTH to accounts or open" in said, said)
    return "exit code 2"


def arguments_are_those_of_cafe(engine: Engine) -> str:
    return f"--version: {engine.run('--version').stdout.strip()}"


def all_that_a_start_imports_is_compiled(engine: Engine) -> str:
    found = engine.run("-c", UNCOMPILED, options=["--entrypoint=python"]).stdout.split()
    expect(not found, f"not compiled: {', '.join(found)}")
    return "the standard library, too"


def it_serves_restricted_with_its_token_in_a_file(engine: Engine) -> str:
    engine.podman("volume", "rm", "--force", LEDGER, code=None)
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder, "token")
        secret.write_text(TOKEN + "\n")
        secret.chmod(0o644)
        options = (
            *RESTRICTED,
            f"--volume={secret}:/run/secrets/token:ro",
            f"--volume={LEDGER}:/var/lib/cafe",
        )
        with engine.serving(*options, "--env=CAFE_WORKER_TOKEN_FILE=/run/secrets/token") as shop:
            began = time.monotonic()
            engine.wait_healthy(shop)
            started = time.monotonic() - began
            client = f"http://{engine.address_of(shop, 8080)}"
            worker = f"http://{engine.address_of(shop, 8081)}"
            placed = ask(f"{client}/order/", {"name": "Ada"}, Prefer="respond-async")
            claimed = ask(f"{worker}/start/?barista=Bo", Authorization=f"Bearer {TOKEN}")
            expect(placed["order_id"] == claimed["order_id"], f"{placed} is not {claimed}")
            used, memory = cost_of(engine.pid_of(shop))
            began = time.monotonic()
            engine.podman("stop", "--time=10", shop)
            stopped = time.monotonic() - began
            code = engine.podman("inspect", "--format={{.State.ExitCode}}", shop).stdout.strip()
            expect(code == "0", f"exit code {code} at the stop")
    start = f"healthy after {started:.1f} s with {used:.1f} s of processor"
    return f"{start}, {memory:.0f} MiB, stopped in {stopped:.1f} s with exit code 0"


def commands_work_on_its_ledger(engine: Engine) -> str:
    volume = [f"--volume={LEDGER}:/var/lib/cafe", *RESTRICTED[:4]]
    for words in (
        ["db", "check"],
        ["report"],
        ["menu", "export", "-"],
        ["tokens", "add", "desk", "--role", "manager"],
        ["mail", "list"],
        ["db", "backup", "monday.db"],
    ):
        engine.run(*words, options=volume)
    return "db, report, menu, tokens, mail"


def a_user_that_the_platform_chose_may_write_by_group_0(engine: Engine) -> str:
    options = (*RESTRICTED, "--user=1000670000:0", "--env=CAFE_WORKER_AUTH=open")
    with engine.serving(*options) as shop:
        engine.wait_healthy(shop)
        placed = ask(f"http://{engine.address_of(shop, 8080)}/order/", {}, Prefer="respond-async")
        expect(placed["status"] == "waiting", f"{placed}")
    return "uid 1000670000"


def its_health_check_reads_the_settings(engine: Engine) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        certificate = trustme.CA().issue_cert("cafe.example")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        (folder / "tls.toml").write_text("certfile = '/tls/cert.pem'\nkeyfile = '/tls/key.pem'\n")
        for file in folder.iterdir():
            file.chmod(0o644)
        settings = {
            "CLIENT_CONFIG": "/tls/tls.toml",
            "CLIENT_BIND": "[::]:9443",
            "WORKER_AUTH": "open",
        }
        options = [f"--env=CAFE_{name}={value}" for name, value in settings.items()]
        with engine.serving(*RESTRICTED, *options, f"--volume={folder}:/tls:ro") as shop:
            engine.wait_healthy(shop)
            said = engine.podman("exec", shop, "cafe", "health").stdout
            expect("https://[::1]:9443/livez" in said, said)
            cost = float(engine.podman("exec", shop, "python", "-c", HEALTH_COST).stdout)
    return f"TLS, another bind; {cost:.2f} s of processor each"


def ask(url: str, body: object = None, **fields: str) -> Any:
    """Return the JSON that a shop answers."""
    data = None if body is None else json.dumps(body).encode()
    fields |= {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, fields)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - ours
        return json.load(answer)


def cost_of(pid: int) -> tuple[float, float]:
    """Return the seconds of processor that a process has used, and its own memory in MiB."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    (size,) = re.findall(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK"), int(size) / 1024


CHECKS: tuple[Callable[[Engine], str], ...] = (
    the_lock_has_wheels_for_the_platforms_that_are_stated,
    it_builds,
    its_baristas_port_is_not_open_by_accident,
    arguments_are_those_of_cafe,
    it_has_labels,
    all_that_a_start_imports_is_compiled,
    it_serves_restricted_with_its_token_in_a_file,
    commands_work_on_its_ledger,
    a_user_that_the_platform_chose_may_write_by_group_0,
    its_health_check_reads_the_settings,
    a_change_of_code_changes_one_layer,
    built_twice_its_layers_have_the_same_digests,
)


def main() -> int:
    """Run all checks; return the exit code."""
    parser = argparse.ArgumentParser(prog="make image-check", description=__doc__)
    parser.add_argument("--base", help="the base image; default: the Dockerfile's")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the images for the next run")
    options = parser.parse_args()
    if missing := missing_tools():
        say(
            f"make image-check needs {', '.join(missing)}, and mmdebstrap where no image can be "
            "pulled (on Debian: apt install buildah podman runc mmdebstrap)"
        )
        return 1
    (usual,) = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    with tempfile.TemporaryDirectory() as temporary:
        engine = Engine(options.keep or Path(temporary))
        try:
            engine.find_base(options.base or usual)
            for check in CHECKS:
                say(f"OK  {check.__name__.replace('_', ' ')}: {check(engine)}")
        except CheckFailedError as error:
            say(f"FAILED  {error}")
            return 1
        finally:
            if options.keep is None:
                engine.podman("system", "reset", "--force", code=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
