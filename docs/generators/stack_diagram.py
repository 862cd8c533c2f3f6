"""docs/stack.svg: what the production stack is made of, and what waits for what.

Drawn from the resource graph of Pulumi.prod.yaml: a box is a component with the resources in it, an
arrow leads from what comes first to what waits for it. An arrow that others imply is left out, and one
that passes other boxes has a lane of its own between them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape

from local import graph
from local.paths import CHECKOUT

TARGET = "stack.svg"
STACK = "prod"

WIDTH, LINE, GAP, ROW_GAP, MARGIN = 230, 17, 26, 56, 24
SWEEPS = 4
"""How often rows are put in order by their neighbours; more changes nothing in a picture of this size."""
STYLE = """
  text { font: 12px sans-serif; fill: #202124 } .title { font-weight: bold } .kind { fill: #5f6368 }
  .gcp { fill: #e8f0fe; stroke: #4285f4 } .kubernetes { fill: #e6f4ea; stroke: #34a853 }
  path { fill: none; stroke: #9aa0a6; stroke-width: 1.4 } .arrow { marker-end: url(#end) }
"""

Edges = Mapping[str, set[str]]
Place = tuple[str, int]
"""A component, and a row: its own, or a later one through which a lane leads on from it."""


def generate() -> str:
    boxes, edges = _components(graph.of_stack(CHECKOUT / f"Pulumi.{STACK}.yaml"))
    depths = {name: _depth(name, edges) for name in boxes}
    steps = sorted({step for name in boxes for before in edges[name] for step in _steps(before, name, depths)})
    rows = _in_order(_rows(depths, steps), steps)
    width = max(_width(row, depths) for row in rows)
    centers: dict[Place, int] = {}
    spans: list[tuple[int, int]] = []
    for index, row in enumerate(rows):
        top = spans[-1][1] + ROW_GAP if index else MARGIN
        spans.append((top, top + max(_height(boxes[name]) for name, level in row if level == depths[name])))
        left = (width - _width(row, depths)) // 2 + MARGIN
        for place in row:
            own = WIDTH if place[1] == depths[place[0]] else 0
            centers[place] = left + own // 2
            left += own + GAP
    drawn = [_line(before, after, boxes, depths, centers, spans) for before, after in steps]
    drawn += [_box(name, boxes[name], centers[name, row] - WIDTH // 2, spans[row][0]) for name, row in depths.items()]
    height = spans[-1][1] + MARGIN
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    marker = '<marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    head = f'<defs>{marker}<path d="M0,0 L8,4 L0,8"/></marker></defs>'
    title = f"<title>The {STACK} stack: components, and what waits for what</title>"
    body = "\n".join([title, f"<style>{STYLE}</style>", head, *drawn])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{body}\n</svg>\n'


def _components(nodes: list[graph.Node]) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """Each component with the kinds of its resources, and the components that it waits for."""
    by_key = {node.key: node for node in nodes}

    def owner(key: str) -> str:
        return owner(by_key[key].parent) if by_key[key].parent else key

    boxes: dict[str, list[str]] = {node.key: [] for node in nodes if not node.parent and _is_component(node)}
    edges: dict[str, set[str]] = {name: set() for name in boxes}
    for node in nodes:
        top = owner(node.key)
        if top in boxes:
            if node.parent:
                boxes[top].append(node.kind)
            edges[top] |= {owner(need) for need in node.needs if need in by_key}
    direct = {name: (before & set(boxes)) - {name} for name, before in edges.items()}
    return boxes, {name: _without_implied(name, direct) for name in boxes}


def _is_component(node: graph.Node) -> bool:
    return node.kind.startswith("agent-sandbox:")


def _without_implied(name: str, direct: Edges) -> set[str]:
    """What `name` waits for and nothing else that it waits for does."""
    implied = set().union(*(_all_before(before, direct) for before in direct[name]))
    return direct[name] - implied


def _all_before(name: str, direct: Edges) -> set[str]:
    return direct[name].union(*(_all_before(before, direct) for before in direct[name]))


def _depth(name: str, edges: Edges) -> int:
    """How long the longest way to a component is."""
    return 1 + max((_depth(before, edges) for before in edges[name]), default=-1)


def _steps(before: str, name: str, depths: Mapping[str, int]) -> Iterator[tuple[Place, Place]]:
    """An arrow from row to row."""
    for row in range(depths[before], depths[name]):
        last = row + 1 == depths[name]
        yield (before, row), (name if last else before, row + 1)


def _rows(depths: Mapping[str, int], steps: list[tuple[Place, Place]]) -> list[list[Place]]:
    places = {*depths.items(), *(place for step in steps for place in step)}
    return [sorted(place for place in places if place[1] == row) for row in range(max(depths.values()) + 1)]


def _in_order(rows: list[list[Place]], steps: list[tuple[Place, Place]]) -> list[list[Place]]:
    """Each row in the order of what it is joined to, downwards and upwards in turn, so that few arrows cross."""
    joined: dict[Place, list[Place]] = {}
    for before, after in steps:
        joined.setdefault(before, []).append(after)
        joined.setdefault(after, []).append(before)

    def middle(place: Place, neighbours: list[Place]) -> float:
        found = [
            (neighbours.index(each) + 0.5) / len(neighbours) for each in joined.get(place, ()) if each in neighbours
        ]
        return sum(found) / len(found) if found else 0.5

    for sweep in range(SWEEPS):
        order = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        for index in order:
            neighbours = rows[index - 1 if sweep % 2 == 0 else index + 1]
            rows[index] = sorted(rows[index], key=lambda place: middle(place, neighbours))
    return rows


def _width(row: list[Place], depths: Mapping[str, int]) -> int:
    return sum(WIDTH if level == depths[name] else 0 for name, level in row) + GAP * (len(row) - 1) + 2 * MARGIN


def _lines(kinds: list[str]) -> list[str]:
    counted = Counter(_short(kind) for kind in kinds)
    return [f"{number} x {kind}" if number > 1 else kind for kind, number in sorted(counted.items())]


def _short(kind: str) -> str:
    name = kind.rpartition(":")[2]
    return f"provider {name}" if kind.startswith("pulumi:providers:") else name


def _height(kinds: list[str]) -> int:
    return LINE * (len(_lines(kinds)) + 3)


def _box(name: str, kinds: list[str], left: int, top: int) -> str:
    kind, _, own = name.rpartition(" ")
    side = "gcp" if any(each.startswith("gcp:") for each in kinds) else "kubernetes"
    lines = [f'<rect class="{side}" x="{left}" y="{top}" width="{WIDTH}" height="{_height(kinds)}" rx="6"/>']
    texts = [("title", _short(kind)), ("own", own), *(("kind", line) for line in _lines(kinds))]
    for index, (style, text) in enumerate(texts, start=1):
        lines.append(f'<text class="{style}" x="{left + 12}" y="{top + LINE * index + 2}">{escape(text)}</text>')
    return "\n".join(lines)


def _line(
    before: Place,
    after: Place,
    boxes: Mapping[str, list[str]],
    depths: Mapping[str, int],
    centers: Mapping[Place, int],
    spans: list[tuple[int, int]],
) -> str:
    """From a box or lane straight down to the end of its row, and from there to what is in the next."""
    name, row = before
    top, end = spans[row]
    start = top + _height(boxes[name]) if row == depths[name] else top
    x1, x2, y2 = centers[before], centers[after], spans[row + 1][0]
    bend = (end + y2) // 2
    style = ' class="arrow"' if after[1] == depths[after[0]] else ""
    return f'<path{style} d="M{x1},{start} V{end} C{x1},{bend} {x2},{bend} {x2},{y2}"/>'
