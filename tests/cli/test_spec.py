"""`barograph spec check` says what is wrong with a specification, before the service does."""

from __future__ import annotations

from pathlib import Path

import pytest

from barograph.cli.spec import check
from barograph.errors import SpecError


def test_what_is_wrong_with_sources_is_told_with_file_and_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.toml"
    path.write_text('[sources.sql]\nurl = "sqlite:///a.db"\ntable = "e"\nwatermrk = "at"\n')
    with pytest.raises(SpecError) as caught:
        check(str(path))
    assert str(caught.value).startswith(f"{path}:")
    assert "$.sources.sql.watermrk: there is no such key. Did you mean 'watermark'?" in str(caught.value)
    path.write_text('[sources.sql]\nurl = "sqlite:///a.db"\ntable = "e"\nwatermark = "at"\n')
    check(str(path))
    assert capsys.readouterr().out == "The specification can be used.\n"
