"""A server set up with `sailpoint` 1.4.2, whose classes of /v2024 are all in one package."""

from types import ModuleType

import sailpoint.v2024

import administer
import change_v2024


class Line:
    name = "python 1.4.2 v2024"
    suffix = ""
    connect = change_v2024.Sdk

    def module(self, package: str) -> ModuleType:
        return sailpoint.v2024


if __name__ == "__main__":
    administer.main(Line())
