"""Evidently's drift preset as a whole process, from two files to results on disk: one comparison of all rows.

python whole_evidently.py REFERENCE CURRENT FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from measuring import CATEGORICAL, FEATURES, NUMERIC


def main() -> None:
    """Read, compare, and write the results as JSON."""
    definition = DataDefinition(numerical_columns=NUMERIC, categorical_columns=CATEGORICAL)
    before, after = (
        Dataset.from_pandas(pd.read_parquet(path, columns=FEATURES), data_definition=definition)
        for path in sys.argv[1:3]
    )
    snapshot = Report([DataDriftPreset()]).run(after, before)
    (Path(sys.argv[3]) / "evidently.json").write_text(snapshot.json(), "utf-8")


if __name__ == "__main__":
    main()
