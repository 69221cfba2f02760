"""Files of an Iceberg table: those within the warehouse of its catalog, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from barograph.errors import InputError
from barograph.frames.read_iceberg import is_folder
from barograph.frames.urls import is_url, is_within


class WarehouseFiles(PyArrowFileIO):
    """Read what is inside the `warehouse`; where that is only a name, what is not on this machine."""

    def new_input(self, location: str) -> PyArrowFile:
        """Return a file to be read. Raises InputError for one that is elsewhere."""
        scheme, _, path = self.parse_location(location, self.properties)
        place = path if scheme == "file" else location
        warehouse = str(self.properties.get("warehouse") or "")
        if not (is_within(place, warehouse) if is_folder(warehouse) else is_url(place)):
            raise InputError(f"The table names {location!r}, which is outside the warehouse of its catalog.")
        return super().new_input(location)


def guard(catalog: Any) -> None:
    """Let a catalog read files as above, whatever its tables say of themselves: a property could name any class."""
    kept = {"warehouse": catalog.properties.get("warehouse", "")}

    def load_file_io(properties: Mapping[str, str] | None = None, location: str | None = None) -> WarehouseFiles:
        return WarehouseFiles({**catalog.properties, **(properties or {}), **kept})

    catalog.properties["py-io-impl"] = f"{WarehouseFiles.__module__}.{WarehouseFiles.__name__}"
    catalog._load_file_io = load_file_io
