"""Writes into template.yaml the paths of the API, from the table of routes and from what each function says that it serves.

Run it as `python3 -m scripts.api_paths` after a route, or a function, was added. Where one function serves all that is at a path,
or below it, one line leads there: API Gateway counts each part of a path, and has 300 of them.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from haimaker.api.paths import ROUTES

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
FOR_NO_PAGE = re.compile(
    r"/(key|team|customer|end_user|spend|route|auto-router|providers|sign-in|batch|console)/|/(audit|refusals|providers|generation|health|sign-in|console)$"
)
"""What pages of other origins may not ask for, so that a browser's question before it leads nowhere."""
KEEPS_ITS_PARTS = re.compile(r"(/v1)?/(responses|auto-router)")
"""What has a parameter as its next part in stacks that are there: API Gateway allows one name for that, and an update might first
add another. https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api-update.html"""
ANY = "x-amazon-apigateway-any-method"
REST = "{proxy+}"
ELSE = "ModelsFunction"
"""Serves what several serve, and tells that there is no such path: API Gateway would tell a bearer token of AWS's signatures."""
BEGIN, END = "        paths: # written by scripts/api_paths.py\n", "      OpenApiVersion:"
WHOLE, STREAMED = "2015-03-31/functions/${NAME.Arn}/invocations", "2021-11-15/functions/${NAME.Arn}/response-streaming-invocations"
FOR_STREAMS = ", responseTransferMode: STREAM, timeoutInMillis: 900000"


@dataclass
class Node:
    """A part of a path."""

    methods: dict[str, str] = field(default_factory=dict)
    """The function of each method of the path that ends here."""
    below: dict[str, "Node"] = field(default_factory=dict)

    def nodes(self) -> Iterator["Node"]:
        yield self
        for node in self.below.values():
            yield from node.nodes()

    def paths(self, path: str, for_pages: bool) -> Iterator[tuple[str, dict[str, str]]]:
        """Each path and the functions of its methods; fewer, where one function serves all that is below."""
        if self.methods:
            yield path, _methods(self.methods, for_pages)
        inner = [node for each in self.below.values() for node in each.nodes()]
        served = [(method, function) for node in inner for method, function in node.methods.items()]
        if len(inner) > 1 and not KEEPS_ITS_PARTS.fullmatch(path) and len({function for _, function in served}) == 1:
            yield f"{path}/{REST}", _methods(dict(served), for_pages)
        else:
            for part, node in self.below.items():
                below = f"{path}/{part}"
                yield from node.paths(below, not FOR_NO_PAGE.search(f"{below}/" if node.below else below))


def functions() -> tuple[dict[str, str], set[str]]:
    """The function of each operation, by the template's names; and which of them stream."""
    operations = {route.operation for route in ROUTES}
    serving: dict[str, str] = {}
    streaming = set()
    for folder, start in re.findall(r"CodeUri: functions/(\w+)/\n      Role: !GetAtt (\w+)Role", TEMPLATE.read_text("utf-8")):
        code = (ROOT / "functions" / folder / "app.py").read_text("utf-8")
        constants = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
        for operation in constants & operations:
            serving[operation] = ELSE if operation in serving else f"{start}Function"
        if "streams=True" in code:
            streaming.add(f"{start}Function")
    return serving, streaming


def render() -> str:
    """The lines of the paths."""
    serving, streaming = functions()
    root = Node()
    for prefix in ("", "/v1"):
        for route in ROUTES:
            node = root
            for part in (prefix + route.template).strip("/").split("/"):
                node = node.below.setdefault(part, Node())
            node.methods[route.method.lower()] = serving[route.operation]
    paths = {**dict(root.paths("", for_pages=True)), f"/{REST}": {ANY: ELSE}}
    return "".join(_lines(path, methods, streaming) for path, methods in paths.items())


def _methods(methods: dict[str, str], for_pages: bool) -> dict[str, str]:
    """The methods of a path, with one for all others: the function says what it thinks of those."""
    if not for_pages:
        return methods
    if len({*methods.values()}) > 1:  # not ANY beside one of them, which `sam local` does not see then
        return {"head": methods["get"], "options": methods["get"], **methods}
    return {ANY: next(iter(methods.values()))}


def _lines(path: str, methods: dict[str, str], streaming: set[str]) -> str:
    text = f'          "{path}":\n'
    for method, name in methods.items():
        function, more = (STREAMED, FOR_STREAMS) if name in streaming else (WHOLE, "")
        place = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/" + function.replace("NAME", name)
        integration = f'{{type: aws_proxy, httpMethod: POST, uri: !Sub "{place}"{more}}}'
        text += f"            {method}: {{x-amazon-apigateway-integration: {integration}, responses: {{}}}}\n"
    return text


def written(template: str, paths: str) -> str:
    """The template with these paths."""
    begin, end = template.index(BEGIN) + len(BEGIN), template.index(END)
    return template[:begin] + paths + template[end:]


if __name__ == "__main__":
    TEMPLATE.write_text(written(TEMPLATE.read_text("utf-8"), render()), "utf-8")
