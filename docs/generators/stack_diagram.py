"""docs/stack.svg: what the production stack is made of, and what waits for what.

Drawn from the resource graph of Pulumi.prod.yaml: a box is a component with the resources in it, an
arrow leads from what comes first to what waits for it. An arrow that others imply is left out.
"""

from collections import Counter
from collections.abc import Mapping
from html import escape

from local import graph
from local.paths import CHECKOUT

TARGET = "stack.svg"
STACK = "prod"

WIDTH, LINE, GAP, ROW_GAP, MARGIN = 250, 17, 26, 56, 24
STYLE = """
  text { font: 12px sans-serif; fill: #202124 } .title { font-weight: bold } .kind { fill: #5f6368 }
  .gcp { fill: #e8f0fe; stroke: #4285f4 } .kubernetes { fill: #e6f4ea; stroke: #34a853 }
  path { fill: none; stroke: #9aa0a6; stroke-width: 1.4; marker-end: url(#end) }
"""

Edges = Mapping[str, set[str]]


def generate() -> str:
    nodes = graph.of_stack(CHECKOUT / f"Pulumi.{STACK}.yaml")
    boxes, edges = _components(nodes)
    rows = _rows(boxes, edges)
    width = MARGIN * 2 + max(len(row) for row in rows) * (WIDTH + GAP) - GAP
    places: dict[str, tuple[int, int, int]] = {}
    top = MARGIN
    for row in rows:
        left = (width - len(row) * (WIDTH + GAP) + GAP) // 2
        for index, name in enumerate(row):
            places[name] = (left + index * (WIDTH + GAP), top, _height(boxes[name]))
        top += max(_height(boxes[name]) for name in row) + ROW_GAP
    arrows = [_arrow(places[before], places[name]) for name in places for before in sorted(edges[name])]
    drawn = [_box(name, boxes[name], *places[name]) for name in places]
    size = f'width="{width}" height="{top - ROW_GAP + MARGIN}" viewBox="0 0 {width} {top - ROW_GAP + MARGIN}"'
    marker = '<marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    head = f'<defs>{marker}<path d="M0,0 L8,4 L0,8" style="marker-end:none"/></marker></defs>'
    title = f"<title>The {STACK} stack: components, and what waits for what</title>"
    body = "\n".join([title, f"<style>{STYLE}</style>", head, *arrows, *drawn])
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


def _rows(boxes: Mapping[str, list[str]], edges: Edges) -> list[list[str]]:
    """Components by how long the longest way to them is."""

    def depth(name: str) -> int:
        return 1 + max((depth(before) for before in edges[name]), default=-1)

    rows: dict[int, list[str]] = {}
    for name in sorted(boxes):
        rows.setdefault(depth(name), []).append(name)
    return [rows[level] for level in sorted(rows)]


def _lines(kinds: list[str]) -> list[str]:
    counted = Counter(kind.rpartition(":")[2] for kind in kinds)
    return [f"{number} x {kind}" if number > 1 else kind for kind, number in sorted(counted.items())]


def _height(kinds: list[str]) -> int:
    return LINE * (len(_lines(kinds)) + 2)


def _box(name: str, kinds: list[str], left: int, top: int, height: int) -> str:
    kind, _, own = name.rpartition(" ")
    side = "gcp" if any(each.startswith("gcp:") for each in kinds) else "kubernetes"
    lines = [f'<rect class="{side}" x="{left}" y="{top}" width="{WIDTH}" height="{height}" rx="6"/>']
    title = f"{kind.rpartition(':')[2]} {own}"
    lines.append(f'<text class="title" x="{left + 10}" y="{top + LINE}">{escape(title)}</text>')
    for index, line in enumerate(_lines(kinds)):
        lines.append(f'<text class="kind" x="{left + 10}" y="{top + LINE * (index + 2)}">{escape(line)}</text>')
    return "\n".join(lines)


def _arrow(above: tuple[int, int, int], below: tuple[int, int, int]) -> str:
    x1, y1, x2, y2 = above[0] + WIDTH // 2, above[1] + above[2], below[0] + WIDTH // 2, below[1]
    bend = (y1 + y2) // 2
    return f'<path d="M{x1},{y1} C{x1},{bend} {x2},{bend} {x2},{y2}"/>'
