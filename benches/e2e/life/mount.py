"""A volume as the kubelet mounts one, of a ConfigMap or a Secret: NAME -> ..data/NAME, ..data -> ..N; and certificates for it."""

import subprocess
from pathlib import Path


class Mount:
    def __init__(self, folder: Path, files: dict[str, str]):
        self.folder, self.number = folder, 0
        folder.mkdir()
        self.swap(files)
        for name in files:
            (folder / name).symlink_to(f"..data/{name}")

    def swap(self, files: dict[str, str]):
        """The new version beside the old one, one rename, the old one removed."""
        old, self.number = self.number, self.number + 1
        new = self.folder / f"..{self.number}"
        new.mkdir()
        for name, text in files.items():
            (new / name).write_text(text)
        (self.folder / "..data_tmp").symlink_to(new.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        if old:
            for file in (self.folder / f"..{old}").iterdir():
                file.unlink()
            (self.folder / f"..{old}").rmdir()


def certificate(folder: Path, number: int) -> dict[str, str]:
    """A new pair, as a Secret of Kubernetes holds it. Each has its own serial number."""
    chain, key = folder / "made.crt", folder / "made.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=life.test", "-addext", "subjectAltName=DNS:life.test", "-set_serial", str(number)]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, "-keyout", key, "-out", chain], check=True, capture_output=True)
    return {"tls.crt": chain.read_text(), "tls.key": key.read_text()}
