"""Asks of every container named vacpack what namespaces may demand: restricted.py FILE...

That is the profile "restricted" of the Pod Security Standards, and beyond it a root file system that is read-only and a memory
limit, of which the cache takes its share. It is asked of the container and not of its pod: the entry is copied into pods of others.
"""

import pathlib
import sys

import yaml

WANTED = {
    "allowPrivilegeEscalation": lambda value: value is False,
    "capabilities": lambda value: value == {"drop": ["ALL"]},
    "privileged": lambda value: not value,
    "readOnlyRootFilesystem": lambda value: value is True,
    "runAsNonRoot": lambda value: value is True,
    "runAsUser": lambda value: isinstance(value, int) and value > 0,
    "seccompProfile": lambda value: value == {"type": "RuntimeDefault"},
}

problems, seen = [], 0
for file in sys.argv[1:]:
    for one in yaml.safe_load_all(pathlib.Path(file).read_text()):
        pod = (one or {}).get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("initContainers", []) + pod.get("containers", []):
            if container["name"] != "vacpack":
                continue
            seen += 1
            context = container.get("securityContext", {})
            problems += [f"{file}: {key}: {context.get(key)}" for key, right in WANTED.items() if not right(context.get(key))]
            if "memory" not in container.get("resources", {}).get("limits", {}):
                problems.append(f"{file}: no memory limit")
print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
sys.exit(bool(problems) or not seen)
