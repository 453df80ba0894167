"""A Rasa project: its flows, its domain, and what else lies in its folder.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from action_server.project.domain import Domain
from action_server.project.flows import Flow
from action_server.project.places import Frozen, Problem


class Project(Frozen):
    """Everything that was read, and what could not be read (``problems``).

    ``flows`` are the project's own by id, ``patterns`` the engine's where the project has none of its own. ``config``
    and ``endpoints`` are the two files as they are (empty if missing); ``endpoints`` may hold credentials. ``nlu``
    holds training examples by intent.
    """

    root: str
    domain: Domain
    flows: Mapping[str, Flow]
    patterns: Mapping[str, Flow]
    problems: tuple[Problem, ...] = ()
    domain_files: tuple[str, ...] = ()
    flow_files: tuple[str, ...] = ()
    nlu: Mapping[str, tuple[str, ...]] = {}
    has_rules: bool = False
    has_stories: bool = False
    config: Mapping[str, Any] = {}
    config_file: str = ""
    endpoints: Mapping[str, Any] = {}
    endpoints_file: str = ""

    @cached_property
    def all_flows(self) -> Mapping[str, Flow]:
        """Return flows and patterns by id, as the engine has them."""
        return {**self.patterns, **self.flows}

    def has_policy(self, name: str) -> bool:
        """Tell whether config.yml lists a policy."""
        policies = self.config.get("policies")
        listed = policies if isinstance(policies, list) else []
        return any(isinstance(policy, Mapping) and policy.get("name") == name for policy in listed)

    @property
    def webhook_url(self) -> str:
        """Return the address of the action server in endpoints.yml, empty if there is none."""
        endpoint = self.endpoints.get("action_endpoint")
        url = endpoint.get("url") if isinstance(endpoint, Mapping) else None
        return url if isinstance(url, str) else ""
