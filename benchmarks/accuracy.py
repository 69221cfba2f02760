"""How good are the estimates? Writes docs/accuracy.md from the development data in a folder that is given.

    OMP_NUM_THREADS=1 python benchmarks/accuracy.py DATA_FOLDER [--out docs/accuracy.md] [--every N] [--only SECTION]

`--every 10` looks at every tenth chunk with the slow estimators. With one thread, the CPU times are those of one core.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before scikit-learn: waiting threads would count as work

import accuracy_acs
import accuracy_coverage
import accuracy_simulations
import accuracy_streams

HEAD = """# How accurate the estimates are

Written by `make accuracy` from public data (attribution in each set's source) and from simulations with a fixed seed.
The reference of each set is its earlier part, the figures are of what came later. Two constants were chosen with the
ACS rows in view (the prior of 10 rows in a cell, the floor of 0.03 of the audit sampler); no model or threshold was
tuned.

*MAE*: mean absolute difference between the estimate, made without labels, and the metric that the labels showed later.
*RMSE/SE*: root mean square of that difference over the binomial standard error of the realised accuracy; 1.00 is what
an estimator that knows every probability would have. *Coverage*: share of chunks whose realised value lay in the 95 %
interval.
"""

SECTIONS: dict[str, Callable[[Path, int], str]] = {
    "acs": accuracy_acs.section,
    "streams": accuracy_streams.section,
    "classes": accuracy_streams.classes_section,
    "coverage": accuracy_coverage.section,
    "concept": accuracy_simulations.concept_section,
    "audit": accuracy_simulations.audit_section,
    "delay": accuracy_simulations.delay_section,
}


def main() -> None:
    """Run the studies and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", type=Path, help="folder with the Parquet files")
    parser.add_argument("--out", type=Path, default=Path("docs/accuracy.md"))
    parser.add_argument("--every", type=int, default=1, help="use every n-th chunk with the slow estimators")
    parser.add_argument("--only", choices=sorted(SECTIONS), help="print one section, write nothing")
    arguments = parser.parse_args()
    parts = [HEAD]
    for name, section in SECTIONS.items():
        if arguments.only in (None, name):
            start = time.perf_counter()
            parts.append(section(arguments.data, arguments.every))
            print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    if arguments.only:
        print(parts[-1])
        return
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
