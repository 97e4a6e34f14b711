"""The JSON Schema of the service spec, by which editors check one: `make spec-schema` writes it.

Fields, types and bounds come from the model, what a field means from docs/configuration.md. What the model's
own functions check, and a schema can say too, is said here once more: a test judges specs by both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossfade.domain.spec.service import MOST_PATHS, MOST_WEIGHT, OWN_HEADERS, PATH_CHARACTERS, ServiceSpec

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "docs/spec.schema.json"
CONFIGURATION = ROOT / "docs/configuration.md"


def _any_case(word: str) -> str:
    """A pattern of a word in upper and lower case: a schema's patterns have no such switch."""
    return "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else letter for letter in word)


def _named(field: str, **says: Any) -> dict[str, Any]:
    """An object of which this field is given."""
    return {"required": [field], "properties": {field: says}}


_NO_HEADER = "|".join(map(_any_case, sorted(OWN_HEADERS)))
_BY_FUNCTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ServiceSpec": {
        "service": {"pattern": "^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$"},
        "traffic": {"uniqueItems": True},
        "stages": {
            "minItems": 2,
            "prefixItems": [{"$ref": "#/$defs/Stage", **_named("weight", const=0)}],
            "contains": _named("weight", const=100),
        },
    },
    "Probe": {
        "url": {"pattern": r"^https?://[^/\s@]+$"},
        "headers": {
            "propertyNames": {"pattern": rf"^(?!({_NO_HEADER})$)[!#$%&'*+.^_`|~0-9A-Za-z-]+$"},
            "additionalProperties": {"type": "string", "pattern": "^[!-~]([\\t -~]*[!-~])?$"},
        },
        "paths": {
            "maxItems": MOST_PATHS,
            "uniqueItems": True,
            "items": {
                "anyOf": [{"$ref": "#/$defs/ProbePath"}, {"$ref": "#/$defs/ProbePath/properties/path"}]
            },
        },
    },
    "ProbePath": {
        "path": {"pattern": '^/[!-"$-~]*$', "maxLength": PATH_CHARACTERS},
        "weight": {"minimum": 1, "maximum": MOST_WEIGHT},
    },
    "VersionSource": {
        "from": {"anyOf": [{"$ref": "#/$defs/Place"}, {"const": "none"}]},
        "expect": {"anyOf": [{"$ref": "#/$defs/Expectation"}, {"type": "string", "pattern": "\\{tag\\}"}]},
        "ok": {"items": {"type": "string", "pattern": "^[2-4]\\d\\d(-[2-4]\\d\\d)?$"}},
    },
}
_BY_FUNCTIONS_OF_ALL: Mapping[str, Mapping[str, Any]] = {
    "Place": {
        "oneOf": [_named(place, type="string") for place in ("json", "header", "regex")]
        + [_named("none", const=True)]
    },
    "Expectation": {
        "oneOf": [_named("text", type="string", pattern="\\{tag\\}"), _named("tag", type="string")]
    },
    "OwnRule": {
        "if": _named("priority", const="last"),
        "then": {"properties": {"conditions": {"maxItems": 0}}},
    },
}


def schema() -> dict[str, Any]:
    """The schema, in the form of JSON Schema 2020-12."""
    whole = ServiceSpec.model_json_schema()
    models = {"ServiceSpec": whole, **whole.pop("$defs")}
    meanings = dict(_meanings(CONFIGURATION.read_text(encoding="utf-8")))
    for name, prefix in _places(models, "ServiceSpec", ""):
        for field, says in models[name]["properties"].items():
            dotted = f"{prefix}{field}"
            unit, meaning = meanings.get(dotted, ("", ""))
            says["title"] = f"{dotted}: {unit}" if unit else dotted
            if meaning:
                says["description"] = meaning
    for name, model in models.items():
        model["additionalProperties"] = False
        model["description"] = _plain(model["description"].split("\n\n")[0])
        for field, says in _BY_FUNCTIONS.get(name, {}).items():
            if "anyOf" in says:
                del model["properties"][field]["$ref"]
            model["properties"][field].update(says)
        model.update(_BY_FUNCTIONS_OF_ALL.get(name, {}))
    # Their defaults are those of their fields.
    for field in (whole["properties"]["gate"], models["VersionSource"]["properties"]["from"]):
        del field["default"]
    del models["VersionSource"]["properties"]["expect"]["default"], models["ServiceSpec"]
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Crossfade's service spec"}
    return {**whole, **dialect, "$defs": models}


def _places(models: Mapping[str, Any], name: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Each model that is in this one, with what stands before the names of its fields, ``stages[].``."""
    yield name, prefix
    for field, says in models[name]["properties"].items():
        mark = "[]" if says.get("type") == "array" else ""
        for inner in re.findall(r'"#/\$defs/(\w+)"', json.dumps(says)):
            yield from _places(models, inner, f"{prefix}{field}{mark}.")


def _meanings(text: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each field in the tables of docs/configuration.md, with its unit and what it means."""
    for table in re.findall(r"(?<=^\| field \|).*?(?=\n\n)", text, re.DOTALL | re.MULTILINE):
        heads = [head.strip() for head in table.splitlines()[0].strip(" |").split("|")]
        if heads[-2:] == ["unit", "meaning"]:
            for row in table.splitlines()[2:]:
                fields, *_, unit, meaning = (cell.strip() for cell in re.split(r" \|(?= )", row.strip("| ")))
                for field in re.findall(r"`([^`]+)`", fields):
                    yield field, (_plain(unit), _plain(meaning))


def _plain(text: str) -> str:
    """What is written for a reader of pages, without links and marks."""
    words = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    words = re.sub(r"\b(see )?below$", "docs/configuration.md", words)
    return " ".join(re.sub(r"\*(\w)|(\w)\*|``?", r"\1\2", words.replace("**", "")).split())


def main() -> None:
    """Write the schema."""
    text = json.dumps(schema(), indent=2, ensure_ascii=False)
    SCHEMA.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
