"""Builds a kustomization as far as ours go, for checkers where there is no kustomize: overlay.py FOLDER prints the manifests.

Resources, generated ConfigMaps, components, images, patches that are merged (lists of things with names by name, as the API
server does) or that are JSON patches of `add` and `replace`. A patch whose target is not there, or a file that is not, is an
error: kustomize itself would say nothing of the first. Where there is a kustomize, `check` compares what the two make.
"""

import pathlib
import sys

import yaml


def merge(into, patch):
    if isinstance(into, dict) and isinstance(patch, dict):
        return into | {key: merge(into.get(key), value) for key, value in patch.items()}
    named = lambda one: isinstance(one, list) and all(isinstance(item, dict) and "name" in item for item in one)  # noqa: E731
    if named(into) and named(patch):
        ours = {item["name"]: item for item in patch}
        kept = [merge(item, ours.pop(item["name"], {})) for item in into]
        return kept + list(ours.values())
    return patch


def apply(document, operations):
    for operation in operations:
        *path, last = operation["path"].strip("/").split("/")
        place = document
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place[part]
        last = int(last) if isinstance(place, list) else last
        if operation["op"] == "replace" and (last not in place if isinstance(place, dict) else last >= len(place)):
            sys.exit(f"{operation['path']}: nothing there to replace")
        place[last] = operation["value"]


def patched(documents, folder, patch):
    target = patch["target"]
    wanted = [
        one
        for one in documents
        if one["kind"] == target.get("kind", one["kind"]) and one["metadata"]["name"] == target.get("name", one["metadata"]["name"])
    ]
    if not wanted:
        sys.exit(f"{folder}: no document for {target}")
    content = yaml.safe_load((folder / patch["path"]).read_text() if "path" in patch else patch["patch"])
    for one in wanted:
        if isinstance(content, list):
            apply(one, content)
        else:
            content.pop("metadata", None)
            one |= merge(one, content)


def containers(documents):
    pods = [one["spec"]["template"]["spec"] for one in documents if "template" in one.get("spec", {})]
    return [each for pod in pods for each in pod.get("initContainers", []) + pod["containers"]]


def named_anew(documents, image):
    users = [each for each in containers(documents) if each["image"].rsplit(":", 1)[0] == image["name"]]
    if not users:
        sys.exit(f"{image['name']}: nothing uses this image")
    for each in users:
        each["image"] = f"{image['newName']}:{image['newTag']}"


def built(folder, documents):
    rules = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for resource in rules.get("resources", []):
        documents += yaml.safe_load_all((folder / resource).read_text())
    for generated in rules.get("configMapGenerator", []):
        data = {name: (folder / name).read_text() for name in generated["files"]}
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generated["name"]}, "data": data})
    for component in rules.get("components", []):
        built(folder / component, documents)
    for patch in rules.get("patches", []):
        patched(documents, folder, patch)
    for image in rules.get("images", []):
        named_anew(documents, image)
    return documents


if __name__ == "__main__":
    print(yaml.safe_dump_all(built(pathlib.Path(sys.argv[1]), []), sort_keys=False))
