"""Writes the files of a ConfigMap into a folder: unpack-configmap.py MANIFEST FOLDER."""

import pathlib
import sys

import yaml

manifest, folder = map(pathlib.Path, sys.argv[1:])
documents = [one for one in yaml.safe_load_all(manifest.read_text()) if one["kind"] == "ConfigMap"]
if not documents:
    sys.exit(f"{manifest}: no ConfigMap in it")
for document in documents:
    for name, text in document["data"].items():
        (folder / name).write_text(text)
