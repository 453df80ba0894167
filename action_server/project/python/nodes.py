"""The nodes of a file's syntax tree, for whatever looks through all of them."""

from __future__ import annotations

import ast
from functools import lru_cache


@lru_cache(maxsize=1)
def nodes_of(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Return all nodes of a file, in the order of ``ast.walk``.

    Kept for the file that is being read: seven things are looked for in all of its nodes, and to walk took longer than
    to look. Nobody changes a tree here.
    """
    return tuple(ast.walk(tree))
