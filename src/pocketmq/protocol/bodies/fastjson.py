"""JSON as RocketMQ's peers write it, which is not always JSON.

Apache uses a Java library that writes map keys bare when they are numbers or objects, and that
reads even more:

    {0:"10.0.0.1:10911"}                                     a number as a key
    {{"brokerName":"b","queueId":0,"topic":"T"}:5}           an object as a key
    {"{\\"brokerName\\":\\"b\\", ...}":5}                        the same object, as text
    {name:'x', /* comment */ list:[1,2,],}                   what people and old clients write

`loads` reads all of it and gives the same shape for the first form and its quoted twin: keys are
always text, a number as its digits and an object as the text it was written in. `dumps` writes the
form Apache writes: integer keys bare, and an `ObjectKey` as the object it holds.

Reading tries the standard library first. Where that meets a bare key, bare keys are quoted and it
tries again; what it then does not understand is parsed by hand. Each way is slower than the one
before, and bounded more tightly: whoever reads a stranger's text says how long it may be, and so
bounds for how long everybody else waits.
"""

from __future__ import annotations

import json
import math
import re
from json.encoder import encode_basestring
from typing import Any, Final

from pocketmq.errors import MalformedBody

DEPTH_MAX: Final = 64
LENIENT_CHARS_MAX: Final = 32 * 1024
CHARS_PER_MATCH: Final = 16
"""Of a text that may have n characters, n / 16 strings and bare keys are looked at."""

Text = bytes | bytearray | memoryview | str


class ObjectKey(str):
    """The JSON of an object that is the key of a map."""

    __slots__ = ()


def loads(data: Text, chars_max: int | None = None) -> Any:
    """The value that `data` means. Raise MalformedBody when it means none.

    A text longer than `chars_max` is refused before it is read; without it, the text comes from
    somebody we asked and trust.
    """
    if chars_max is not None and len(data) > chars_max:
        raise MalformedBody(
            f"a JSON text of {len(data)} bytes is too long; {chars_max} are allowed"
        )
    try:
        text = data if isinstance(data, str) else str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"a JSON text is not UTF-8: {error}") from None
    try:
        return _resolved(_DECODER.decode(text), text)
    except json.JSONDecodeError as error:
        problem = error
    except ValueError as error:  # a number with more digits than Python takes
        raise MalformedBody(f"a JSON text cannot be read: {error}") from None
    except RecursionError:
        raise MalformedBody("a JSON text is nested too deeply") from None
    if text[problem.pos : problem.pos + 1] in _BEGIN_BARE_KEYS:
        matches_max = 0 if chars_max is None else chars_max // CHARS_PER_MATCH
        try:
            quoted = _BARE_KEYS.sub(_quoted, text, matches_max)
            return _resolved(_DECODER.decode(quoted), text)
        except ValueError:
            pass  # not even with quoted keys: the last way explains what is wrong
        except RecursionError:
            raise MalformedBody("a JSON text is nested too deeply") from None
    if len(text) > LENIENT_CHARS_MAX:
        raise MalformedBody(
            f"{problem}; a text of {len(text)} characters must be standard JSON, "
            f"{LENIENT_CHARS_MAX} are read leniently"
        )
    return _resolved(_Lenient(text).document(), text)


def dumps(value: Any) -> bytes:
    """`value` as Apache writes it: integer keys bare, object keys as objects, raw UTF-8."""
    return _text(value).encode("utf-8", "replace")


def dumps_plain(value: Any) -> bytes:
    """`value`, whose keys are all text, as compact JSON; several times faster than `dumps`."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def dumps_standard(value: Any) -> bytes:
    """`value` as strict JSON that any reader understands: sorted and quoted keys, ASCII only."""
    text = json.dumps(_within_doubles(value), separators=(",", ":"), sort_keys=True)
    return text.replace("/", "\\/").encode()


# A string is matched first, so that what looks like a key inside one is left alone. Every quote
# starts a match, if only up to the end, which keeps the scan linear for any input.
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_FLAT_OBJECT = r'\{[^{}"]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^{}"]*)*\}'
_BARE_KEYS = re.compile(
    rf"(?P<string>{_STRING})|(?P<open>[{{,]\s*)(?:(?P<number>-?\d+)|(?P<object>{_FLAT_OBJECT}))"
    r"(?=\s*:)",
    re.DOTALL,
)
_BEGIN_BARE_KEYS: Final = frozenset("-0123456789{")
_DECODER = json.JSONDecoder(strict=False)


def _quoted(match: re.Match[str]) -> str:
    if match["string"] is not None:
        return match["string"]
    if match["number"] is not None:
        return f'{match["open"]}"{match["number"]}"'
    return match["open"] + encode_basestring(match["object"])


def _text(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "null"
    if isinstance(value, dict):
        return f"{{{','.join([f'{_key_text(k)}:{_text(v)}' for k, v in value.items()])}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join([_text(item) for item in value])}]"
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _key_text(key: Any) -> str:
    if isinstance(key, ObjectKey):
        return str(key)
    return encode_basestring(key) if isinstance(key, str) else str(int(key))


def _within_doubles(value: Any) -> Any:
    # Browsers keep numbers as doubles, so integers beyond 2**53 travel as text.
    if isinstance(value, dict):
        return {str(key): _within_doubles(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_within_doubles(item) for item in value]
    if isinstance(value, int) and not -(2**53) < value < 2**53:
        return str(value)
    return value


_REFERENCE = '"$ref"'
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[['\"](.+?)['\"]\]")


def _resolved(value: Any, text: str) -> Any:
    # A second occurrence of one object is written as {"$ref":"$.path"} to the first.
    return _follow(value, value) if _REFERENCE in text else value


def _follow(value: Any, root: Any) -> Any:
    if isinstance(value, list):
        return [_follow(item, root) for item in value]
    if not isinstance(value, dict):
        return value
    path = value.get("$ref")
    if isinstance(path, str) and len(value) == 1:
        return _target(root, path, value)
    return {key: _follow(item, root) for key, item in value.items()}


def _target(root: Any, path: str, reference: Any) -> Any:
    if not path.startswith("$"):
        return reference  # relative forms, which no known peer writes, stay as they are
    found, position = root, 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return reference
        name, index, quoted = step.groups()
        if isinstance(found, dict) and (name or quoted) in found:
            found = found[name or quoted]
        elif isinstance(found, list) and index is not None and int(index) < len(found):
            found = found[int(index)]
        else:
            return reference
        position = step.end()
    # A reference to something that holds references itself would make a cycle: leave it.
    return reference if found is root else found


_SKIP = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z_$][\w$.@%|-]*")
_QUOTED = re.compile(r"""(?:"([^"\\]*(?:\\.[^"\\]*)*)"|'([^'\\]*(?:\\.[^'\\]*)*)')""", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_WORDS = {"true": True, "false": False, "null": None, "NaN": None, "undefined": None}


class _Lenient:
    """One pass over a text by hand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def document(self) -> Any:
        value = self._value()
        self._skip()
        if self._at < len(self._text):
            raise self._wrong("the end")
        return value

    def _value(self) -> Any:
        char = self._peek()
        if char == "{":
            return self._object()
        if char == "[":
            return self._array()
        if char in "\"'" and char:
            return self._string()
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            return self._number(number[0])
        word = _WORD.match(self._text, self._at)
        if word is None or word[0] not in _WORDS:
            raise self._wrong("a value")
        self._at = word.end()
        return _WORDS[word[0]]

    def _number(self, digits: str) -> int | float:
        if len(digits) > 40:
            raise self._wrong("a shorter number")
        return int(digits) if digits.lstrip("-").isdigit() else float(digits)

    def _object(self) -> dict[str, Any]:
        self._enter()
        entries: dict[str, Any] = {}
        while (char := self._peek()) != "}":
            if char == ",":
                self._at += 1
                continue
            key = self._key()
            if self._peek() != ":":
                raise self._wrong("a colon")
            self._at += 1
            entries[key] = self._value()
            if self._peek() not in (",", "}"):
                raise self._wrong("a comma or the end of the object")
        self._leave()
        return entries

    def _array(self) -> list[Any]:
        self._enter()
        items: list[Any] = []
        while (char := self._peek()) != "]":
            if char == ",":
                self._at += 1
                continue
            items.append(self._value())
            if self._peek() not in (",", "]"):
                raise self._wrong("a comma or the end of the list")
        self._leave()
        return items

    def _key(self) -> str:
        char = self._peek()
        if char == "{":
            return dumps(self._object()).decode("utf-8", "replace")
        if char in "\"'" and char:
            return self._string()
        match = _NUMBER.match(self._text, self._at) or _WORD.match(self._text, self._at)
        if match is None:
            raise self._wrong("a key")
        self._at = match.end()
        return match[0]

    def _string(self) -> str:
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            raise self._wrong("the end of a text")
        self._at = match.end()
        inner = match[1] if match[1] is not None else match[2]
        return _ESCAPE.sub(_unescaped, inner) if "\\" in inner else inner

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._wrong(f"at most {DEPTH_MAX} levels")
        self._at += 1

    def _leave(self) -> None:
        self._depth -= 1
        self._at += 1

    def _peek(self) -> str:
        self._skip()
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        match = _SKIP.match(self._text, self._at)
        assert match is not None, "the pattern matches the empty text"
        self._at = match.end()

    def _wrong(self, expected: str) -> MalformedBody:
        found = self._text[self._at : self._at + 20] or "the end"
        return MalformedBody(f"no JSON at character {self._at}: found {found!r}, not {expected}")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)
