"""Programs that play the object storage of Google and Azure, where they are installed: `make producers` does."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ACCOUNT = "devstoreaccount1"  # and its key are Azurite's own, and public
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
BUCKET = "tables"
PATIENCE_S = 60.0
_GOOGLE = """
import sys
from gcp_storage_emulator.server import create_server
server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=sys.argv[1])
server.start()
print("listens on http://127.0.0.1:%d" % server._api._httpd.server_port, flush=True)
sys.stdin.read()
"""


@contextmanager
def emulated(store: str, folder: Path) -> Iterator[Mapping[str, str] | None]:
    """Run what plays a store, and give the environment variables that lead to it; None where it is not installed."""
    program = shutil.which({"gs": "gcp-storage-emulator", "az": "azurite-blob"}[store])
    if program is None:
        yield None
        return
    if store == "az":
        command = [program, "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--blobPort", "0"]
    else:
        command = [str(Path(program).with_name("python")), "-W", "ignore", "-c", _GOOGLE, BUCKET]
    log = folder / f"{store}.log"
    with log.open("wb") as out:
        run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out, cwd=folder)
    with run:
        try:
            end = time.monotonic() + PATIENCE_S
            while (found := re.search(r"listens on (http://[\d.:]+)", log.read_text())) is None:
                assert run.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            if store == "gs":
                yield {"STORAGE_EMULATOR_HOST": found[1]}
            else:
                yield {
                    "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                    "AZURE_STORAGE_ACCOUNT_KEY": KEY,
                    "AZURE_STORAGE_ENDPOINT": found[1],
                }
        finally:
            run.kill()
