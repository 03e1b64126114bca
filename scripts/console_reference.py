"""Writes docs/reference/console-api.md from the endpoints, as the OpenAPI document is.

python scripts/console_reference.py           write the page
python scripts/console_reference.py --check   fail when the page is not what would be written
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pocketmq.console import openapi
from pocketmq.console.app import endpoints

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "console-api.md"

HEAD = """<!-- Written by scripts/console_reference.py (make docs); change the source instead. -->
# The console's HTTP API

Everything that the web console does goes through this API, below `/api/v1`; scripts may use it,
too. A running console serves its machine-readable form at `/api/v1/openapi.json`.

Moments are milliseconds since 1970 and end in `_ms`. A figure that nobody could be asked for is
null. Lists that are known whole have pages (`page`, `size`), lists of messages a cursor: pass the
`next` of one answer as `cursor` of the next question. Names in paths are percent-encoded. What is
not declared, in a query or a body, is refused with 400.

```sh
console=http://127.0.0.1:8080/api/v1
curl -s "$console/topics?figures=true"

# Without a login, a write needs the token of the session; it keeps pages of other sites out.
token=$(curl -s $console/session | sed 's/.*"csrf":"\\([^"]*\\)".*/\\1/')
curl -s -H "X-CSRF-Token: $token" -H 'Content-Type: application/json' \\
     -d '{"name": "orders", "queues": 4}' $console/topics

# With a login, scripts send user and password along, and no token.
curl -s -u ann -H 'Content-Type: application/json' \\
     -d '{"topic": "orders", "body": "hello"}' $console/messages
```

What goes wrong is told by the status and a document:

```json
{"error": {"code": "no_such_topic", "message": "the topic orderz does not exist",
           "hint": "topics that exist are listed at /api/v1/topics", "details": {}}}
```

| Status | `code` | When |
|---|---|---|
| 400 | `bad_request` | A parameter or the body is wrong; `details.field` names it |
| 401 | `login_needed`, `login_failed` | Nobody is logged in; wrong user or password |
| 403 | `not_allowed` | A viewer wants to change something, or the console is read-only |
| 403 | `csrf`, `host` | The token is missing or old; the name is not the console's |
| 404 | `not_found`, `no_such_…` | It is not there |
| 405 | `method` | The path knows other methods, named by the header `Allow` |
| 409 | `exists`, `conflict` | It is there already; its state does not allow it |
| 413, 431 | `too_large` | The body or the head is too long |
| 415 | `media_type` | A write without `application/json` |
| 422 | `refused` | The broker refused; `message` is its remark |
| 429 | `too_many` | Too many failed logins, streams or tasks; `Retry-After` says when |
| 500 | `bug` | The console's log has more, under `details.reference` |
| 502, 504 | `unreachable`, `timeout` | Name servers or a broker do not answer, or not in time |
"""


def page() -> str:
    """Return the page."""
    document = openapi.document(endpoints())
    schemas = document["components"]["schemas"]
    parts = [HEAD]
    for tag in document["tags"]:
        parts.append(f"## {tag['name']}\n")
        for path, found in document["paths"].items():
            for method, operation in found.items():
                if operation["tags"] == [tag["name"]]:
                    parts.append("\n".join(_operation(method, path, operation, schemas)))
    parts.append("## Shapes\n")
    for name, schema in sorted(schemas.items()):
        if name != "Error":
            parts.append("\n".join([f"### `{name}`\n", *_table(schema, schemas)]) + "\n")
    return "\n".join(parts)


def _operation(
    method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]
) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n"
    yield operation["summary"]
    if "description" in operation:
        yield f"\n{operation['description']}"
    asked = [one for one in operation["parameters"] if one["in"] == "query"]
    if asked:
        yield "\n| Parameter | Takes | What |\n|---|---|---|"
        for one in asked:
            takes = _takes(one["schema"], schemas)
            name = f"`{one['name']}`" + (" (needed)" if one["required"] else "")
            yield f"| {name} | {takes} | {one['description']} |"
    body = operation.get("requestBody")
    if body is not None:
        name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        if schemas[name]["properties"]:
            yield ""
            yield from _table(schemas[name], schemas)
    (status, answer), *_ = operation["responses"].items()
    (media, content), *_ = answer["content"].items()
    kind = _takes(content["schema"], schemas) if "schema" in content else f"`{media}`"
    yield f"\nAnswers {status}: {kind}\n"


def _table(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    yield "| Field | Holds | What |\n|---|---|---|"
    for name, one in schema["properties"].items():
        yield f"| `{name}` | {_takes(one, schemas)} | {one.get('description', '')} |"


def _takes(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return a schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[`{name}`](#{name.lower()})"
    if "anyOf" in schema:
        words = [_takes(one, schemas) for one in schema["anyOf"]]
        return " or ".join(words)
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_takes(schema['items'], schemas)}"
    if kind == "object":
        return f"names and {_takes(schema['additionalProperties'], schemas)}"
    kinds = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    word = kinds.get(kind, str(kind))
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high < 10**9:
        word += f", {low} to {high}"
    default = schema.get("default")
    if default not in (None, "", {}):
        word += f"; else {str(default).lower() if isinstance(default, bool) else default}"
    return word


def main() -> None:
    """Write the page, or compare it."""
    text = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return
    if "--check" in sys.argv:
        sys.exit("docs/reference/console-api.md is out of date; run make docs")
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
