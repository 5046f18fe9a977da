"""Print the unzipped size of every built function with its layers; fail where one is too large.

AWS takes at most 250 MB. Functions without a layer of their own, most of those behind the API, are held far
below that, since a caller waits while one starts; the table also catches wheels that were built for another
architecture than the layer's.

Usage: python scripts/check_sizes.py [BUILD_FOLDER]   (after `make build`)
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

MIB = 2**20
LIGHT_LIMIT = 40 * MIB
LIMIT = 200 * MIB
ELF_MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below a folder, as Lambda unpacks them."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def layer_names(function: dict[str, Any], shared: list[Any]) -> list[str]:
    """Return the logical ids of a function's layers: those of all functions, then its own."""
    return [layer["Ref"] for layer in [*shared, *function.get("Layers", [])]]


def wrong_machine(folder: Path, architecture: str) -> Iterator[Path]:
    """Yield the shared libraries of a layer that its functions could not load."""
    for library in folder.rglob("*.so*"):
        with library.open("rb") as stream:
            head = stream.read(20)
        machine = int.from_bytes(head[18:20], "little")
        if head[:4] == b"\x7fELF" and machine != ELF_MACHINES[architecture]:
            yield library


def main(build: Path) -> int:
    """Print the table and return the exit status."""
    if not (build / "template.yaml").is_file():
        print(f"{build} holds no build: run 'make build' first.", file=sys.stderr)
        return 2
    template = yaml_parse((build / "template.yaml").read_text())
    resources: dict[str, dict[str, Any]] = template["Resources"]
    shared = template["Globals"]["Function"].get("Layers", [])
    sizes = {
        name: folder_size(build / resource["Properties"]["ContentUri"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::LayerVersion"
    }
    failures = []

    print(f"{'function':<22}{'code':>9}{'layers':>9}{'total':>9}{'limit':>9}  MiB, unzipped")
    for name, resource in resources.items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        function = resource["Properties"]
        code = folder_size(build / function["CodeUri"])
        layers = sum(sizes[layer] for layer in layer_names(function, shared))
        limit = LIMIT if function.get("Layers") else LIGHT_LIMIT
        row = "".join(f"{n / MIB:>9.1f}" for n in (code, layers, code + layers, limit))
        print(f"{name:<22}{row}")
        if code + layers > limit:
            failures.append(f"{name} is larger than {limit // MIB} MiB")

    built = tomllib.loads((build.parent / "build.toml").read_text())
    for layer in built.get("layer_build_definitions", {}).values():
        name, architecture = layer["layer_name"], layer["architecture"]
        print(f"{name:<22}{'':>9}{sizes[name] / MIB:>9.1f}  {architecture}")
        if wrong := list(wrong_machine(build / name, architecture)):
            failures.append(
                f"{len(wrong)} libraries of {name}, such as {wrong[0].name}, are not for {architecture}: "
                f"build with 'make build ARCHITECTURE={architecture}'"
            )

    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".aws-sam/build")))
