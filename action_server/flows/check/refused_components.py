"""What `rasa train` refuses of the components in config.yml: names, places, and who needs whom.

Read in rasa-pro 3.21.0 (rasa/engine/recipes and rasa/graph_components/validators/default_recipe_validator.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from action_server.flows.check.refused_config import GENERATORS, ROUTERS
from action_server.flows.check.stories import steps_of_all
from action_server.flows.check.subject import Subject
from action_server.project.fields import did_you_mean
from action_server.project.python.importables import problem_of_name
from action_server.project.settings_parts import class_name, mappings_in

_RULE_POLICY = "RulePolicy"
_POLICIES = frozenset(
    [
        _RULE_POLICY,
        "MemoizationPolicy",
        "AugmentedMemoizationPolicy",
        "TEDPolicy",
        "UnexpecTEDIntentPolicy",
        "FlowPolicy",
        "EnterpriseSearchPolicy",
        "IntentlessPolicy",
    ]
)
_TOKENIZERS = frozenset(["WhitespaceTokenizer", "SpacyTokenizer", "MitieTokenizer", "JiebaTokenizer"])
_DENSE = frozenset(["SpacyFeaturizer", "MitieFeaturizer", "ConveRTFeaturizer", "LanguageModelFeaturizer"])
_FEATURIZERS = _DENSE | {"CountVectorsFeaturizer", "RegexFeaturizer", "LexicalSyntacticFeaturizer"}
_CLASSIFIERS = frozenset(
    [
        "DIETClassifier",
        "KeywordIntentClassifier",
        "LogisticRegressionClassifier",
        "MitieIntentClassifier",
        "SklearnIntentClassifier",
        "ResponseSelector",
        "FallbackClassifier",
    ]
)
# Rasa Open Source 3.6 has `LanguageModelFeaturizer` beside those of 3.21.
_COMPONENTS = (
    _TOKENIZERS
    | _FEATURIZERS
    | _CLASSIFIERS
    | {
        "CRFEntityExtractor",
        "DucklingEntityExtractor",
        "EntitySynonymMapper",
        "MitieEntityExtractor",
        "RegexEntityExtractor",
        "SpacyEntityExtractor",
        "MitieNLP",
        "SpacyNLP",
        "RegexMessageHandler",
        "NLUCommandAdapter",
        *GENERATORS,
        *ROUTERS,
    }
)
# Of each set, one has to stand in front of a component.
_NEEDS: Mapping[str, tuple[frozenset[str], ...]] = {
    "SpacyTokenizer": (frozenset(["SpacyNLP"]),),
    "SpacyEntityExtractor": (frozenset(["SpacyNLP"]),),
    "SpacyFeaturizer": (frozenset(["SpacyTokenizer"]),),
    "MitieFeaturizer": (frozenset(["MitieNLP"]), _TOKENIZERS),
    "MitieEntityExtractor": (frozenset(["MitieNLP"]), _TOKENIZERS),
    "MitieIntentClassifier": (frozenset(["MitieNLP"]), _FEATURIZERS),
    "SklearnIntentClassifier": (_DENSE,),
    "LogisticRegressionClassifier": (_FEATURIZERS,),
    "DIETClassifier": (_FEATURIZERS,),
    "ResponseSelector": (_FEATURIZERS,),
    "FallbackClassifier": (_CLASSIFIERS - {"FallbackClassifier"},),
    **dict.fromkeys(
        [
            "CountVectorsFeaturizer",
            "RegexFeaturizer",
            "LexicalSyntacticFeaturizer",
            "ConveRTFeaturizer",
            "LanguageModelFeaturizer",
            "CRFEntityExtractor",
        ],
        (_TOKENIZERS,),
    ),
}


def check_refused_components(subject: Subject) -> None:
    """Report what the engine does not take."""
    config = subject.project.config
    if config.get("recipe", "default.v1") != "default.v1":
        return
    for key, known, others in (("pipeline", _COMPONENTS, _POLICIES), ("policies", _POLICIES, _COMPONENTS)):
        for part in mappings_in(config, key):
            problem = _problem_of(subject, part, known, others)
            if problem:
                subject.refuse(subject.in_config(key), *problem)
    for what, fix in _faults_of_pipeline(subject):
        subject.refuse(subject.in_config("pipeline"), what, fix)
    for what, fix in _faults_of_policies(subject):
        subject.refuse(subject.in_config("policies"), what, fix)


def _problem_of(
    subject: Subject, part: Mapping[str, Any], known: frozenset[str], others: frozenset[str]
) -> tuple[str, str] | None:
    name = part.get("name")
    if not isinstance(name, str) or not name:
        return "a component has no `name`", "add it"
    if name in known:
        return None
    if name in others:
        where = "policies" if name in _POLICIES else "pipeline"
        return f"{name} does not belong here", f"write it into `{where}`"
    if "." in name:
        # What is not installed here may be where the engine runs.
        problem = problem_of_name(subject.root, name, is_class=True)
        if problem is None or problem.may_be_elsewhere:
            return None
        return f"{name} cannot be imported: {problem.text}", "correct the name"
    return (
        f"engines have no {name!r}{did_you_mean(name, known)}",
        "correct the name; an own one has its module in front",
    )


def _faults_of_pipeline(subject: Subject) -> Iterator[tuple[str, str]]:
    parts = [part for part in mappings_in(subject.project.config, "pipeline") if isinstance(part.get("name"), str)]
    names = [class_name(part) for part in parts]
    tokenizers = [name for name in names if name in _TOKENIZERS]
    # Stories with texts of users have a tokenizer of their own.
    has_texts = any(step.get("user") is not None for _, step in steps_of_all(subject.sources))
    if len(tokenizers) > (2 if has_texts else 1):
        yield f"the pipeline has several tokenizers: {', '.join(tokenizers)}", "keep one"
    for index, name in enumerate(names):
        before = set(names[:index])
        # One of the project's own may be whatever is needed.
        is_known = before <= _COMPONENTS
        for needed in _NEEDS.get(name, ()) if is_known else ():
            if not needed & before:
                one_of = "" if len(needed) == 1 else "one of "
                yield f"in front of {name} there is nothing that it needs", f"add {one_of}{', '.join(sorted(needed))}"


def _faults_of_policies(subject: Subject) -> Iterator[tuple[str, str]]:
    policies = list(mappings_in(subject.project.config, "policies"))
    names = {class_name(policy) for policy in policies}
    # Without any, an engine chooses for itself; one of the project's own may be a kind of it.
    if subject.domain.forms and policies and _RULE_POLICY not in names and names <= _POLICIES:
        yield f"the domain has forms, and the policies no {_RULE_POLICY}", "add it, or take the forms away"
    for policy in policies:
        action = policy.get("core_fallback_action_name")
        if policy.get("name") == _RULE_POLICY and isinstance(action, str) and subject.knows_actions:
            is_missing = (
                subject.lacks_response(action) if action.startswith("utter_") else not subject.is_listed(action)
            )
            if action and is_missing:
                yield f"{_RULE_POLICY} falls back to {action!r}, which the domain does not have", "add the action"
