"""The server speaks TLS by itself, takes a renewed certificate, and says what is wrong with one."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from barograph.errors import SpecError
from barograph.server import start
from barograph.store.settings import settings_from

CODE = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"
SOON = "from barograph.server import start; start.TICKS = 1; "


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for this machine that nobody has signed."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", f"/CN={name}"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


def test_it_speaks_tls_and_takes_a_new_certificate(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "first")
    arguments = ["serve", "--data", str(tmp_path / "d"), "--port", "0", "--workers", "0", "--log-level", "error"]
    arguments += ["--tls-cert", str(cert), "--tls-key", str(key)]
    command = [sys.executable, "-c", SOON + CODE, "barograph", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().split()[-1]
            assert url.startswith("https://127.0.0.1:")
            trusted = ssl.create_default_context(cafile=str(cert))
            with httpx.Client(base_url=url, verify=trusted, timeout=30) as client:
                assert client.get("/v1/models").status_code == 200
                page = client.get("/", headers={"Accept": "text/html"})
                assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
                assert "; Secure" in client.post("/project", data={}).headers.get("Set-Cookie", "; Secure")
            with pytest.raises(httpx.ConnectError):
                httpx.get(url)  # nobody whom it trusts has signed it
            before = key.read_bytes()
            certificate(tmp_path, "second")
            os.utime(cert, (time.time() + 5, time.time() + 5))
            renewed = ssl.create_default_context(cafile=str(cert))
            end = time.monotonic() + 30
            while True:
                try:
                    assert httpx.get(f"{url}/healthz", verify=renewed).status_code == 200
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < end
            assert key.read_bytes() != before
        finally:
            process.terminate()


def test_what_is_wrong_with_a_certificate_is_said(tmp_path: Path, barograph: Callable[..., Any]) -> None:
    cert, key = certificate(tmp_path, "name")
    for wrong in (
        ("--tls-cert", cert),
        ("--tls-cert", cert, "--tls-key", tmp_path / "none"),
        ("--tls-cert", key, "--tls-key", key),
    ):
        said = barograph("serve", "--data", tmp_path / "d", "--port", 0, "--workers", 0, *wrong)
        assert (said.code, said.err.count("\n")) == (2, 1), said.err
        assert "TLS" in said.err
    with pytest.raises(SpecError, match="needs both"):
        settings_from({"BAROGRAPH_TLS_CERT": "x"})
    assert start.TICKS >= 600
