"""The table `[oidc]` is refused with all that is wrong, and where, also where nobody could be sent back."""

from __future__ import annotations

from pathlib import Path

import pytest

from barograph.delivery.file import delivery_of
from barograph.errors import SpecError
from barograph.server.start import prepare
from barograph.store.settings import Settings

GOOD = {"issuer": "https://login.example.org", "client": "us"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"client": "us"}, r"\$\.oidc\.issuer: this is needed"),
        ({**GOOD, "issuer": "ftp://x"}, r"\$\.oidc\.issuer: .*https"),
        ({**GOOD, "issuer": "https://x/?a=1"}, r"\$\.oidc\.issuer: .*without a query"),
        ({**GOOD, "secret": "typed in"}, r"\$\.oidc\.secret: .*not the secret itself"),
        ({**GOOD, "scopes": ["email"]}, r"\$\.oidc\.scopes: .*'openid'"),
        ({**GOOD, "isuer": "x"}, r"\$\.oidc\.isuer: there is no such key.*'issuer'"),
        ({**GOOD, "groups": [{"name": "a", "role": "viewer"}]}, r"\$\.oidc\.groups\[0\]: .*`project`"),
        ({**GOOD, "groups": [{"name": "a", "role": "owner", "project": "b"}]}, r"\$\.oidc\.groups\[0\]"),
        ({**GOOD, "groups": [{"name": "a", "role": "operator"}]}, r"\$\.oidc\.groups\[0\]\.role"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(said: dict[str, object], why: str) -> None:
    with pytest.raises(SpecError, match=why) as error:
        delivery_of({"oidc": said})
    assert "typed in" not in str(error.value)


def test_it_needs_to_be_known_where_people_come_back_to(tmp_path: Path) -> None:
    (tmp_path / "barograph.toml").write_text('[oidc]\nissuer = "https://login.example.org"\nclient = "us"\n')
    with pytest.raises(SpecError, match="BAROGRAPH_PUBLIC_URL"):
        prepare(Settings(folder=tmp_path))
    prepare(Settings(folder=tmp_path, public_url="https://us.example.org"))
