"""Reads the YAML of content: envs/, tasks/, policies/ and results/.

Each file maps entry names to fields. Reading is strict: a misspelt key is an error that names the file,
the entry and the key, and never becomes a default.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from rtbench.core.errors import ContentError, nearest

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_QUOTED = re.compile(r"'([^']*)'")
"""The values in pydantic's list of those that are allowed."""
_DIFFERENT = re.compile(r"[\t?]")
"""What libyaml may allow where PyYAML's own parser does not."""


class Entry(BaseModel):
    """Base of content models: immutable, no unknown keys, and the entry's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Key under which the entry stands in its file."""
    _file: str = PrivateAttr(default="")
    _stem: str = PrivateAttr(default="")

    def model_post_init(self, context: dict[str, str] | None, /) -> None:
        """Remember the file, which `_entry` hands over."""
        self._file = (context or {}).get("file", "")
        self._stem = Path(self._file).stem

    @property
    def where(self) -> str:
        """'FILE: NAME', for errors that show only when entries are put together."""
        return f"{self._file}: {self.name}" if self._file else self.name

    @property
    def stem(self) -> str:
        """Name of its file without the ending: the set of an object, the group of a request."""
        return self._stem


MOST_BYTES = 1_000_000
"""Largest file that is read: PyYAML takes some 8 s for it. The largest of our own has 30 kB."""
MOST_DEPTH = 40
"""Mappings and lists inside one another; the deepest of our own are 8."""
MOST_VALUES = 100_000
"""Values of a file, with each alias counted as all that it stands for."""

M = TypeVar("M", bound=BaseModel)
Stamp = tuple[str, int, int]
"""A file's path, time of change [ns] and size [bytes]: enough to know that a cached reading is stale."""


class _Rules(Composer, SafeConstructor, Resolver):
    """Plain data as YAML 1.2 reads it; duplicate keys and tags are errors, depth and size have limits.

    A loader is these rules and a parser.

    PyYAML's YAML 1.1 would read the key ``on`` as true, ``1e-3`` as text and ``1:30`` as ninety.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own

    _depth = 0
    _values = 0

    @cached_property
    def _sizes(self) -> dict[yaml.Node, int]:
        return {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a value and all inside it, or the one that an alias stands for."""
        event: yaml.Event = self.peek_event()  # type: ignore[attr-defined]  # the parser's
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _problem(f"tags such as {tag} are not used here; remove it", event)
        if self._depth == MOST_DEPTH:
            raise _problem(f"nested more than {MOST_DEPTH} deep", event)
        before = self._values
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None:
            return None
        if isinstance(event, yaml.AliasEvent):
            if node not in self._sizes:
                raise _problem(f"alias {event.anchor!r} stands inside of what it stands for", event)
            self._values += self._sizes[node]
        else:
            self._values += 1
            self._sizes[node] = self._values - before
        if self._values > MOST_VALUES:
            raise _problem(f"more than {MOST_VALUES:,} values, with those that aliases stand for", event)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a text", problem_mark=key.start_mark)
            if key.value in seen:
                problem = f"key {key.value!r} stands twice, first on line {seen[key.value]}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen[key.value] = key.start_mark.line + 1
            if key.value != "<<":  # a name that looks like a number is still a name
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", list("tf")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    ("merge", r"^<<$", ["<"]),
):
    _Rules.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def _problem(text: str, place: Any) -> yaml.MarkedYAMLError:
    """The error of an event or a node."""
    return yaml.MarkedYAMLError(problem=text, problem_mark=place.start_mark)


def _int(loader: _Rules, node: yaml.ScalarNode) -> int:
    try:
        return int(loader.construct_scalar(node))
    except ValueError:
        raise _problem("a whole number with too many digits", node) from None


def _float(loader: _Rules, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node))


# PyYAML's own number constructors still think of base 8 and base 60.
_Rules.add_constructor("tag:yaml.org,2002:int", _int)  # type: ignore[type-var]
_Rules.add_constructor("tag:yaml.org,2002:float", _float)  # type: ignore[type-var]


class _Loader(_Rules, yaml.SafeLoader):
    """Reads by PyYAML's own parser. What is no YAML is told in its words."""


if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _FastLoader(_Rules, CParser):
        """Reads by libyaml: all our content in 0.14 s instead of 0.86, which each worker waits for."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)


def read_file(path: Path, model: type[M]) -> dict[str, M]:
    """All entries of one YAML file, by name; rules and errors are those of `read_files`."""
    if not path.is_file():
        raise ContentError(path, "", "no such file.")
    return read_files([path], model)


def read_files(paths: Iterable[Path], model: type[M]) -> dict[str, M]:
    """All entries of some YAML files, by name, in order; read anew only where a file has changed.

    Args:
        paths: The files.
        model: Pydantic model with a field ``name`` that forbids unknown keys, as `Entry` does.

    Raises:
        ContentError: a file that cannot be used, or a name that two of them have.
    """
    return dict(_read(tuple(map(stamp, paths)), model))


def read_plain(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """All entries as they stand in their files, for hashing; `read_files` has checked them."""
    return {name: fields for path in paths for name, fields in _parse(stamp(path)).items()}


def stamp(path: Path) -> Stamp:
    """What tells whether the file has changed."""
    status = path.stat()
    return str(path), status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _read(files: tuple[Stamp, ...], model: type[M]) -> dict[str, M]:
    if model.model_config.get("extra") != "forbid":
        raise TypeError(f"{model.__name__} must forbid unknown keys; derive it from Entry.")
    entries: dict[str, M] = {}
    origin: dict[str, Path] = {}
    for file in files:
        path = Path(file[0])
        for name, fields in _parse(file).items():
            if name in origin:
                raise ContentError(path, name, f"already defined in {origin[name]}; rename one of the two.")
            entries[name], origin[name] = _entry(path, name, fields, model), path
    return entries


@lru_cache(maxsize=256)
def _parse(file: Stamp) -> dict[str, dict[str, Any]]:
    """The file as entry name -> fields, read once however many models look at it."""
    path = Path(file[0])
    text = _text(path)
    try:
        data = _load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ContentError(path, line, f"not valid YAML: {error.problem or error.context}.") from None
    except yaml.reader.ReaderError as error:
        line = f"line {text.count(chr(10), 0, error.position) + 1}"
        raise ContentError(path, line, f"not valid YAML: character U+{error.character:04X}.") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ContentError(path, "", f"expected a mapping of entry names to fields, found {_kind(data)}.")
    for name, fields in data.items():
        if not _NAME.fullmatch(name):
            rule = "lower-case letters, digits, '_' and '-', a letter or digit first"
            raise ContentError(path, name, f"not a usable entry name; allowed are {rule}.")
        if not isinstance(fields, dict):
            raise ContentError(path, name, f"expected a mapping of keys to values, found {_kind(fields)}.")
    return data


def _load(text: str) -> Any:
    """What is in the text: the same, and the same errors, whether PyYAML was built with libyaml or not."""
    # Of 140,000 lines of content with up to three signs put in, libyaml reads otherwise only some with these.
    if yaml.__with_libyaml__ and not _DIFFERENT.search(text):
        with suppress(yaml.YAMLError):
            return yaml.load(text, Loader=_FastLoader)  # type: ignore[arg-type]  # noqa: S506 - a SafeLoader
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise ContentError(path, "", "not a regular file.")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ContentError(path, "", f"cannot be read: {error.strerror}.") from None
    if len(data) > MOST_BYTES:
        raise ContentError(path, "", f"larger than {MOST_BYTES:,} bytes; divide it into several files.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = f"line {data.count(10, 0, error.start) + 1}"
        raise ContentError(path, line, f"not UTF-8: byte {data[error.start]:#04x}.") from None


def _entry(path: Path, name: str, fields: dict[str, Any], model: type[M]) -> M:
    if "name" in fields:
        raise ContentError(path, name, "key 'name' is not allowed: the entry's own key is its name.")
    try:
        # JSON is the one mode in which pydantic is strict about types and still reads a list as a tuple.
        text = json.dumps({**fields, "name": name}, allow_nan=False)
        return model.model_validate_json(text, strict=True, context={"file": str(path)})
    except ValidationError as error:
        # A misspelt key is unknown and missing at once; only the first of the two helps.
        complaints = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        raise ContentError(path, name, _reason(complaints[0], model)) from None
    except (TypeError, ValueError) as error:
        raise ContentError(path, name, f"a value that content cannot hold: {error}.") from None


def _reason(error: ErrorDetails, model: type[BaseModel]) -> str:
    """A sentence for pydantic's first complaint."""
    location = tuple(part for part in error["loc"] if part != "[key]")
    key = ".".join(map(str, location))
    if error["type"] == "extra_forbidden":
        allowed = _allowed(model, location[:-1])
        close = nearest(str(location[-1]), allowed)
        hint = f" Did you mean {close!r}?" if close else ""
        return f"unknown key {key!r}.{hint} Allowed: {_list(allowed)}."
    if error["type"] == "missing":
        allowed = _allowed(model, location[:-1])
        return f"key {key!r} is missing. Keys: {_list(allowed)}."
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ").rstrip(".")
    if error["type"] in ("value_error", "assertion_error"):
        return f"{key}: {message}." if key else f"{message}."
    known = _QUOTED.findall(message) if error["type"] == "literal_error" else []
    close = nearest(str(error["input"]), known)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"key {key!r} is {_show(error['input'])}; expected {message}.{hint}"


def _allowed(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """Keys that the (sub)model at that location has; empty where it cannot be told."""
    current: Any = model
    for part in location:
        field = _models(current)[0].model_fields.get(str(part)) if _models(current) else None
        current = field.annotation if field else current
    models = _models(current)
    keys = {field.alias or key for m in models for key, field in m.model_fields.items()}
    return sorted(keys - {"name"} if not location else keys)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models inside an annotation such as ``dict[str, Part] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _kind(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", type(None): "nothing"}
    return names.get(type(value), f"the value {value!r}")


def _show(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _list(items: Sequence[object]) -> str:
    return ", ".join(map(str, items)) or "none"
