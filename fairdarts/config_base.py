"""What all groups of settings share: they are frozen and checked, and say what they allow."""

import reprlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from fairdarts.errors import ConfigError

NUM_SEEDS = 2**31
"""Seeds go from 0 to one less."""


class Config(BaseModel):
    """A frozen group of settings that refuses unknown names, wrong types and impossible values.

    The docstring under a field is its description, which `fairdarts sweep settings` shows.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        defer_build=True,  # Most commands check the settings of few groups, or of none.
    )

    @classmethod
    def build(cls, values: dict[str, Any], where: str = "") -> Self:
        """Check `values` and build the group.

        Args:
            values: Field name to value.
            where: Prefix of the names in an error, such as "search".
        Raises:
            ConfigError: One sentence that names the setting, its value and what is allowed.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise _first_fault(cls, error, where) from None


MAX_SHOWN = 80
"""Characters of a value that an error shows."""


def shown(value: object) -> str:
    """A value as errors show it, shortened if it is long or nested."""
    text = reprlib.repr(value) if isinstance(value, dict | list) else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _first_fault(cls: type[Config], error: ValidationError, where: str) -> ConfigError:
    fault = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in fault["loc"] if isinstance(part, str))
    full_name = ".".join(part for part in (where, name) if part)
    if fault["type"] == "extra_forbidden":
        allowed = ", ".join(cls.model_fields)
        return ConfigError(f"{full_name} is not a setting; allowed here: {allowed}.", full_name)
    if fault["type"] == "value_error":
        return ConfigError(f"{where + ': ' if where else ''}{fault['ctx']['error']}")
    message = fault["msg"].removeprefix("Input ").rstrip(".")
    return ConfigError(f"{full_name} (={shown(fault['input'])}) {message}.", full_name)


@dataclass(frozen=True)
class NameIn:
    """Annotates a setting whose value is a name in a registry.

    The registry is read whenever a value is checked, so entries can be added later.
    """

    registry: Collection[str]

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Add the check of the name to that of the type; pydantic calls this."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the allowed names to the description of the setting; pydantic calls this."""
        described = handler(schema)
        for kind in described.get("anyOf", [described]):
            if kind["type"] == "string":
                kind["enum"] = list(self.registry)
        return described

    def _check(self, name: str | None) -> str | None:
        if name is not None and name not in self.registry:
            allowed = ", ".join(sorted(self.registry))
            raise PydanticCustomError(
                "unknown_name", "is not known; allowed: {allowed}", {"allowed": allowed}
            )
        return name
