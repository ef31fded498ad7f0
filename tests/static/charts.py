"""Renders the Helm charts, for the checkers: charts.py FOLDER writes the manifests of each case there.

Helm is its own library, version 4, by the Python package of .ci/requirements.txt; where there is a `helm` too, which .ci/setup
gets in version 3, it has to make the same of everything. A case is a chart with a file of values: CASE.yaml gets what Kubernetes
knows, CASE.podmonitor.yaml and CASE.prometheusrule.yaml what the Prometheus operator does. What lint says of the charts, and values that ought to be
refused and are not, are told, and the exit code is 1.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import helm_python as helm
import yaml

HERE = pathlib.Path(__file__).parent / "charts"
CHARTS = pathlib.Path("conf/helm")
# Name, chart, values, and the oldest Kubernetes it is for.
CASES = [
    ("gateway", "vacpack", "gateway.yaml", "1.28.0"),
    ("everything", "vacpack", "everything.yaml", "1.28.0"),
    ("app", "app", None, "1.30.0"),
    ("sidecar", "app", "sidecar.yaml", "1.30.0"),
]
RELEASE, NAMESPACE = "shop", "web"

problems = []


def values_of(name):
    return yaml.safe_load((HERE / name).read_text()) if name else {}


def documents(text):
    return [one for one in yaml.safe_load_all(text) if one]


def rendered(chart, values):
    """What the library makes: the manifests, and the notes."""
    chart.validate_schema(values)
    files = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    notes = [text for name, text in files.items() if name.endswith("NOTES.txt")]
    return [one for name, text in files.items() if name.endswith(".yaml") for one in documents(text)], notes


def lint(case, path, values):
    report = helm.lint(path, values, strict=True)
    # 1 is a remark: no icon.
    problems.extend(f"{case}: lint: {one['path']}: {one['error']}" for one in report["messages"] if one["severity"] > 1)
    problems.extend(f"{case}: lint: {error}" for error in report["errors"])


def key(one):
    return one["kind"], one["metadata"]["name"]


def compare_with_command(case, path, file, version, wanted):
    """The `helm` of this machine lints without a word and makes the same."""
    given = ["--values", HERE / file] if file else []
    for command in (
        ["helm", "lint", "--strict", "--quiet", path, *given],
        ["helm", "template", RELEASE, path, "--namespace", NAMESPACE, "--kube-version", version, *given],
    ):
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode != 0:
            problems.append(f"{case}: {' '.join(map(str, command))}: {ended.stdout}{ended.stderr}")
            return
    made = documents(ended.stdout)
    if sorted(made, key=key) != sorted(wanted, key=key):
        problems.append(f"{case}: the command helm makes something else of it")


def leaves(values, path=()):
    """The paths of a chart's own values: what stands for an operator's map or list has nothing below it."""
    for name, value in values.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))


def spelt_alike(chart):
    """Templates read no value that there is not, which would be nothing; none is there in vain; the schema knows the same."""
    values = yaml.safe_load((chart / "values.yaml").read_text())
    used = re.findall(r"\.Values((?:\.\w+)+)", "".join(file.read_text() for file in (chart / "templates").iterdir()))
    used = {tuple(path.strip(".").split(".")) for path in used}
    problems.extend(f"no value {'.'.join(path)}" for path in used - set(leaves(values)))
    problems.extend(f"nothing reads {name}" for name in values.keys() - {path[0] for path in used})
    schema = json.loads((chart / "values.schema.json").read_text())["properties"].keys() - {"global", "enabled"}
    problems.extend(f"{name}: in one of values.yaml and its schema alone" for name in values.keys() ^ schema)


def refused(chart):
    for one in values_of("refused.yaml"):
        try:
            rendered(chart, one["values"])
        except helm.HelmError as error:
            if one["told"] not in str(error):
                problems.append(f"refused, but not for {one['told']}: {one['values']}: {error}")
        else:
            problems.append(f"not refused: {one['values']}")


def main(into):
    command = shutil.which("helm")
    with tempfile.TemporaryDirectory() as scratch:
        charts = pathlib.Path(shutil.copytree(CHARTS, pathlib.Path(scratch) / "charts", ignore=shutil.ignore_patterns("charts", "*.lock")))
        helm.dependency_update(charts / "app")
        for case, name, file, version in CASES:
            values = values_of(file)
            lint(case, charts / name, values)
            with helm.Chart.load(charts / name) as chart:
                made, notes = rendered(chart, values)
            if name == "vacpack" and not all(note.strip() for note in notes):
                problems.append(f"{case}: no notes")
            config = values.get("config") or values.get("vacpack", {}).get("config")
            held = [one["data"]["vacpack.toml"] for one in made if one["kind"] == "ConfigMap"]
            if config and [config.strip()] != [text.strip() for text in held]:
                problems.append(f"{case}: the ConfigMap does not hold the configuration of its values")
            operators = [one for one in made if one["apiVersion"].startswith("monitoring.coreos.com/")]
            (into / f"{case}.yaml").write_text(yaml.safe_dump_all([one for one in made if one not in operators]))
            for one in operators:
                (into / f"{case}.{one['kind'].lower()}.yaml").write_text(yaml.safe_dump(one))
                if one["kind"] == "PrometheusRule" and one["spec"] != yaml.safe_load((CHARTS / "vacpack/files/alerts.yaml").read_text()):
                    problems.append(f"{case}: the PrometheusRule does not hold the alerts")
            if command:
                compare_with_command(case, charts / name, file, version, made)
        lint("defaults", charts / "vacpack", {})
        spelt_alike(charts / "vacpack")
        with helm.Chart.load(charts / "vacpack") as chart:
            refused(chart)
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    beside = subprocess.run([command, "version", "--short"], capture_output=True, text=True).stdout.strip() if command else "no command helm"
    print(f"charts: rendered by Helm {helm.helm_sdk_version()}, compared with {beside}")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
