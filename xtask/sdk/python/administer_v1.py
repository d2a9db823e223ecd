"""A server set up with the newest `sailpoint`, which has a package for each collection."""

import importlib
from types import ModuleType

import administer
import change_v1


class Line:
    name = "python latest v1"
    suffix = "_v1"
    connect = change_v1.Sdk

    def module(self, package: str) -> ModuleType:
        return importlib.import_module(f"sailpoint.{package}")


if __name__ == "__main__":
    administer.main(Line())
