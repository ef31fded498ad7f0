"""Follows what manifests name: wiring.py FILE..., all of one cluster. What leads nowhere is told, and the exit code is 1.

A schema says that `targetPort: http-proxy` is well-formed; here it is asked whether a pod that the Service selects has that
port. Names of ports of native sidecars do not count for Services and policies: Kubernetes finds them there since 1.32 only
(kubernetes/kubernetes#127958), and some networks do not at all.
"""

import pathlib
import sys

import yaml

problems = []


def tell(one, what):
    problems.append(f"{one['kind']} {one['metadata']['name']}: {what}")


def read(files):
    return [one for name in files for one in yaml.safe_load_all(pathlib.Path(name).read_text()) if one]


def within(wanted, labels):
    return wanted.items() <= labels.items()


def ports(containers):
    return {value for each in containers for port in each.get("ports", []) for value in (port.get("name"), port["containerPort"])}


class Pod:
    """The template of a workload."""

    def __init__(self, workload):
        template = workload["spec"]["template"]
        self.workload, self.spec, self.labels = workload, template["spec"], template["metadata"]["labels"]
        self.containers = self.spec["containers"]
        self.sidecars = [each for each in self.spec.get("initContainers", []) if each.get("restartPolicy") == "Always"]
        self.reachable = ports(self.containers) | {port for port in ports(self.sidecars) if isinstance(port, int)}

    def follow(self, maps):
        if not within(self.workload["spec"].get("selector", {}).get("matchLabels", {}), self.labels):
            tell(self.workload, "its selector is not that of its pods")
        volumes = {volume["name"]: volume for volume in self.spec.get("volumes", [])}
        for volume in volumes.values():
            name = volume.get("configMap", {}).get("name")
            if name and name not in maps:
                tell(self.workload, f"there is no ConfigMap {name}")
        for each in self.containers + self.spec.get("initContainers", []):
            for mount in each.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    tell(self.workload, f"{each['name']}: there is no volume {mount['name']}")
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                port = each.get(probe, {}).get("httpGet", {}).get("port")
                if port is not None and port not in ports([each]):
                    tell(self.workload, f"{each['name']}: its {probe} asks port {port}, which it does not have")


def selected(one, selector, pods):
    found = [pod for pod in pods if within(selector, pod.labels)]
    if not found:
        tell(one, f"no pod has {selector}")
    return found


def follow(one, pods):
    kind, spec = one["kind"], one.get("spec", {})
    if kind == "Service":
        for pod in selected(one, spec["selector"], pods):
            for port in spec["ports"]:
                if port["targetPort"] not in pod.reachable:
                    tell(one, f"port {port['targetPort']} is none of its pods'")
    elif kind == "NetworkPolicy":
        for pod in selected(one, spec["podSelector"].get("matchLabels", {}), pods):
            for port in (port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])):
                if port not in pod.reachable:
                    tell(one, f"port {port} is none of its pods'")
    elif kind == "PodDisruptionBudget":
        selected(one, spec["selector"]["matchLabels"], pods)
    elif kind == "PodMonitor":
        for pod in selected(one, spec["selector"]["matchLabels"], pods):
            for endpoint in spec["podMetricsEndpoints"]:
                if endpoint["port"] not in ports(pod.containers + pod.sidecars):
                    tell(one, f"there is no port {endpoint['port']}")


documents = read(sys.argv[1:])
templates = [Pod(one) for one in documents if "template" in one.get("spec", {})]
config_maps = {one["metadata"]["name"] for one in documents if one["kind"] == "ConfigMap"}
for template in templates:
    template.follow(config_maps)
for document in documents:
    follow(document, templates)
print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
sys.exit(bool(problems) or not templates)
