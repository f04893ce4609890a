"""Names, licences and licence texts of the crates that a program is linked from, as its package must bring them along."""

import json
import re
from pathlib import Path

from toolchain import ROOT, ToolchainError, run

FILES = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|UNLICENSE|COPYRIGHT)", re.IGNORECASE)


def crates(toolchain):
    """(name, version) of each crate that is linked, the workspace's own and those of builds left out."""
    command = [toolchain.cargo, "tree", "--locked", "-p", "usher", "--no-default-features", *toolchain.target_arguments,
               "-e", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]
    lines = run(command, cwd=ROOT, env=toolchain.environment()).splitlines()
    named = (re.match(r"(\S+) v(\S+)(?: \((.*)\))?", line) for line in lines)
    return sorted({(found[1], found[2]) for found in named if found and not (found[3] or "").startswith("/")})


def texts(folder):
    """The licence texts in a crate's folder."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and FILES.match(path.name)]
    found = (path.read_text(errors="replace").replace("\r\n", "\n").strip() for path in files)
    return [text for text in found if text]


def notices(linked, packages):
    """The whole text: who has which licence, then each licence text once with those who bring it.

    `packages` are those of cargo metadata. Raises ToolchainError when one has no licence.
    """
    known = {(package["name"], package["version"]): package for package in packages}
    table, bringing = [], {}
    for name, version in linked:
        package = known[name, version]
        if not package["license"]:
            raise ToolchainError(f"expected {name} {version} to name its licence, found none; see cargo-deny")
        table.append(f"{name} {version}  {package['license']}  {package['repository'] or ''}".rstrip())
        for text in texts(Path(package["manifest_path"]).parent):
            bringing.setdefault(text, []).append(f"{name} {version}")
    parts = ["Usher is linked from these crates of crates.io, each under the licence that it names:", "", *table]
    for text, names in bringing.items():
        parts += ["", "=" * 78, "Brought by " + ", ".join(names) + ":", "", text]
    return "\n".join(parts) + "\n"


def of_program(toolchain):
    """The notices of `usher` for the toolchain's target."""
    command = [toolchain.cargo, "metadata", "--locked", "--format-version", "1", "--filter-platform", toolchain.target.triple]
    told = json.loads(run(command, cwd=ROOT, env=toolchain.environment()))
    return notices(crates(toolchain), told["packages"])
