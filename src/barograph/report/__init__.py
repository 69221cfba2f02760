"""From two tables to one honest answer: `check`, and the report in a terminal, a notebook, a page, JSON or Parquet."""
