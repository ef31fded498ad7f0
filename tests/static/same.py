"""Compares the manifests of two files, in whatever order they are: same.py ONE OTHER."""

import difflib
import pathlib
import sys

import yaml


def manifests(name):
    documents = [one for one in yaml.safe_load_all(pathlib.Path(name).read_text()) if one]
    return {f"{one['kind']}/{one['metadata']['name']}": yaml.safe_dump(one).splitlines() for one in documents}


one, other = (manifests(name) for name in sys.argv[1:])
for name in sorted(one.keys() | other.keys()):
    difference = difflib.unified_diff(one.get(name, []), other.get(name, []), *(f"{file}: {name}" for file in sys.argv[1:]), lineterm="")
    print(*difference, sep="\n", end="", file=sys.stderr)
sys.exit(one != other)
