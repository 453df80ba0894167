"""The rules of `action-server check`: what each one is for. The text of docs/reference/check-rules.md is made of it."""

from __future__ import annotations

from action_server.findings.rule import READ, RUN, Rule, rules_in

FILES, ACTIONS, NAMES, FLOWS, CODE, COMMENTS = "files", "actions", "names", "flows", "code", "comments"

UNREADABLE = Rule(
    "unreadable",
    "error",
    "a file, or a part of one, that cannot be read as it stands",
    why="an engine refuses it or leaves it out; what stands in it is not checked",
    section=FILES,
    known=READ,
)
READABLE_WITH_CARE = Rule(
    "readable-with-care",
    "warning",
    "a key or an entry that engines pass over",
    why="it has no effect",
    section=FILES,
    known=READ,
)
FORMS_WITH_MAPPINGS = Rule(
    "forms-with-mappings",
    "error",
    "forms that map their slots themselves, as they did until Rasa 3; nothing else is told of such a project but what "
    "keeps its actions from being loaded",
    why="engines since Rasa 3 refuse the domain",
    section=FILES,
    known=READ,
)
DUPLICATE_NAME = Rule(
    "duplicate-name",
    "error",
    "two flows, steps, slots, responses, forms, actions, intents, entities, MCP servers or tools of a skill with one "
    "name, or a key that stands twice in a mapping",
    why="only one of them counts",
    section=FILES,
    known=READ,
)
IMPORT_FAILED = Rule(
    "import-failed",
    "error",
    "the package of actions, or a module in it, cannot be imported",
    why="the action server does not start; rules that need to know all classes are left out",
    section=ACTIONS,
)
ACTIONS_NOT_FOUND = Rule(
    "actions-not-found",
    "warning",
    "the domain or the flows name custom actions, and there is no package of actions to look for them in",
    why="rules that need to know the classes are left out; name the package with `--actions`",
    section=ACTIONS,
)
NOT_AN_ACTION = Rule(
    "not-an-action",
    "error",
    "a class or function that cannot be registered: its `run` takes other arguments, its `name` is none",
    why="the action server does not start",
    section=ACTIONS,
)
ACTION_WITHOUT_CLASS = Rule(
    "action-without-class",
    "error",
    "an action that a flow, the domain, a rule, a story or a slot's mapping names, and no class has",
    why="the engine calls it, and the action server answers 404",
    section=ACTIONS,
)
ACTION_NOT_LISTED = Rule(
    "action-not-listed",
    "error",
    "an action that a flow, a rule or a story runs, and the domain does not list",
    why="`rasa train` refuses the project",
    section=ACTIONS,
    known=READ,
)
REFUSED_TOOL = Rule(
    "refused-tool",
    "error",
    "actions that cannot be offered as tools as it is set: one that is not there, two of one name, "
    "arguments that cannot be said to every client",
    why="the action server does not start",
    section=ACTIONS,
)
UNUSED_ACTION = Rule(
    "unused-action",
    "warning",
    "a class that neither this project nor another one below the working directory names",
    why="it is never called",
    section=ACTIONS,
)
NOTHING_ASKS = Rule(
    "nothing-asks",
    "error",
    "a `collect` of a slot that has neither a response `utter_ask_<slot>` "
    "nor an action `action_ask_<slot>` in the domain",
    why="the user is not asked",
    section=NAMES,
    known=READ,
)
UNKNOWN_SLOT = Rule(
    "unknown-slot",
    "error",
    "a slot that a flow, a condition, a response, a form, a rule, a button or the code names, "
    "and the domain does not have",
    why="reading it gives null, setting it is dropped with an error in the engine's log, and in a condition it is "
    "undefined: `is not null` and `!=` are true, all else is false",
    section=NAMES,
    known=RUN,
)
UNKNOWN_RESPONSE = Rule(
    "unknown-response",
    "error",
    "a response that a flow, a rejection, a rule, the list of actions or the code names, and the domain does not have",
    why="the bot says nothing",
    section=NAMES,
    known=READ,
)
UNKNOWN_FLOW = Rule(
    "unknown-flow",
    "error",
    "a `link`, a `call` or a slot's mapping names a flow that does not exist",
    why="`rasa train` refuses the project",
    section=NAMES,
    known=READ,
)
UNKNOWN_MCP_SERVER = Rule(
    "unknown-mcp-server",
    "error",
    "a `call` with an `mcp_server` that `mcp_servers` of endpoints.yml does not have, or an import of a Mantle skill "
    "from a server that integrations.yml does not have",
    why="the engine refuses the project, or `pattern_internal_error` says that the call failed",
    section=NAMES,
    known=READ,
)
UNKNOWN_TOOL = Rule(
    "unknown-tool",
    "error",
    "a `call` or an import of a tool that its MCP server does not offer: the project's own server, or one of "
    "`--tools`; in a Mantle skill also a name of a tool that it neither has nor imports",
    why="`pattern_internal_error` says that the call failed; Mantle does not start",
    section=NAMES,
    known=READ,
)
UNKNOWN_MEMORY = Rule(
    "unknown-memory",
    "error",
    "a field that a Mantle skill reads, `session.<skill>.<field>` or `@memory.<skill>.<field>`, and no memory.yml that "
    "it may read has",
    why="the engine refuses the project, or the condition is false",
    section=NAMES,
    known=READ,
)
UNKNOWN_INTENT = Rule(
    "unknown-intent",
    "error",
    "an intent that a rule, a story, a form, a button or a flow's trigger names, and the domain does not have",
    why="it never happens",
    section=NAMES,
    known=READ,
)
UNKNOWN_FORM = Rule(
    "unknown-form",
    "error",
    "a form that a rule, a story or a slot's mapping names, and the domain does not have",
    why="it never becomes active",
    section=NAMES,
    known=READ,
)
UNKNOWN_STEP = Rule(
    "unknown-step",
    "error",
    "a `next`, `then` or `else` that leads to a step the flow does not have",
    why="`rasa train` refuses the project",
    section=NAMES,
    known=READ,
)
UNKNOWN_ENTITY = Rule(
    "unknown-entity",
    "error",
    "an entity that a slot's mapping, the options of an intent, a rule, a story or a button names, "
    "or as a warning a training example, and the domain does not have",
    why="engines pass it over: the slot is never filled, the rule never applies",
    section=NAMES,
    known=READ,
)
BUTTON_WITHOUT_PAYLOAD = Rule(
    "button-without-payload",
    "error",
    "a button with neither a payload nor anything else to do, such as `url`",
    why="a click on it sends nothing, or its title as it is written",
    section=NAMES,
    known=READ,
)
BROKEN_PAYLOAD = Rule(
    "broken-payload",
    "error",
    "a button's payload that cannot be read: after the intent stands no JSON object, `/SetSlots` names no slot, "
    "or something else stands behind the slash, such as `/StartFlow(a_flow)`, which engines do not know",
    why="the click arrives without its entities, or as words nobody understands",
    section=NAMES,
    known=READ,
)
FOLDER_WITHOUT_INIT = Rule(
    "folder-without-init",
    "error",
    "a folder within the package that holds actions, has no `__init__.py`, and is imported by nothing",
    why="the server starts without these actions and says nothing",
    section=ACTIONS,
)
PLAIN_METHOD = Rule(
    "plain-method",
    "error",
    "a `required_slots`, or another method that rasa-sdk awaits, that is a plain `def` and returns no coroutine",
    why="every call of the form fails",
    section=CODE,
)
THREAD_BOUND = Rule(
    "thread-bound",
    "warning",
    "an object that works only on the thread that imported the actions, such as a connection of sqlite3, "
    "where actions are plain `def`",
    why="the server runs all such actions on that one thread, one after another, or they fail (`sync_thread`)",
    section=CODE,
)
SIGNAL_IN_THREAD = Rule(
    "signal-in-thread",
    "warning",
    "`signal.signal` in an action that is a plain `def`, as for a time limit of its own with `SIGALRM`",
    why="Python refuses it on every thread but the main one, and such actions have others (`sync_thread`)",
    section=CODE,
)
UNREACHABLE_STEP = Rule(
    "unreachable-step",
    "error",
    "a step that no path of its flow leads to",
    why="it never runs, and `rasa train` refuses the project",
    section=FLOWS,
    known=READ,
)
CONDITION_SYNTAX = Rule(
    "condition-syntax",
    "error",
    "a condition that does not parse",
    why="it is false, whatever the slots hold",
    section=FLOWS,
    known=RUN,
)
CONDITION_NAME = Rule(
    "condition-name",
    "warning",
    "a name in a condition without `slots.` or `context.` before it: a text without quotes, or a slot without prefix",
    why="it is undefined, so that a comparison with it is false",
    section=FLOWS,
    known=RUN,
)
CONDITION_PASTES_TEXT = Rule(
    "condition-pastes-text",
    "warning",
    "a condition into which Jinja writes the value of a slot that a user's words may fill: `{{ slots.name }}`",
    why="who says `x' or 1 = 1` makes it true: the value is read as a part of the condition",
    section=FLOWS,
    known=RUN,
)
SLOW_EXPRESSION = Rule(
    "slow-expression",
    "warning",
    "a regular expression of a condition that repeats what one text fits in several ways, as `(a+)+`",
    why="a message of forty characters keeps the engine busy for hours, with all its conversations",
    section=FLOWS,
    known=RUN,
)
ENDLESS_FLOW = Rule(
    "endless-flow",
    "error",
    "steps, `link`s or `call`s that lead back to where they began without asking for anything",
    why="the turn does not end by itself; the engine breaks it off after 250 steps without an action, or 1,000 actions",
    section=FLOWS,
    known=READ,
)
TOOL_MAPPING = Rule(
    "tool-mapping",
    "error",
    "a `call` with `mcp_server` whose `mapping` is missing, has no `output`, names a parameter or a slot twice, "
    "or has a value that is no Jinja expression",
    why="`pattern_internal_error` says that something failed, whatever the tool answers",
    section=FLOWS,
    known=READ,
)
TOOL_PARAMETER = Rule(
    "tool-parameter",
    "error",
    "a `call` that does not send what its tool cannot do without, or sends what the tool does not take",
    why="the tool answers that something is missing, or passes over what it is sent",
    section=FLOWS,
    known=READ,
)
TOOL_RESULT = Rule(
    "tool-result",
    "error",
    "a value of a `mapping` that looks for something which is not in the results of its tool",
    why="the slot becomes null, and nobody says so",
    section=FLOWS,
    known=READ,
)
TOOL_TYPE = Rule(
    "tool-type",
    "warning",
    "a slot that is sent to a tool, or set to its result, and is of another type; lists are set as JSON text",
    why="the tool refuses the value, or conditions on the slot are false",
    section=FLOWS,
    known=READ,
)
SLOW_TOOL = Rule(
    "slow-tool",
    "warning",
    "a `call` or an import of a tool that may take longer than its engine waits: 10 s, or `tool_timeout` of Mantle",
    why="`pattern_internal_error` says that the call failed, or the model is told of a failure; the tool does its work "
    "nevertheless",
    section=FLOWS,
    known=READ,
)
IMPOSSIBLE_VALUE = Rule(
    "impossible-value",
    "error",
    "a comparison with, or a setting to, a value that a slot cannot have: one that a categorical slot does not list, "
    'or in a condition one of another type (`"true"` for a bool, `true` for a text)',
    why="the comparison is always the same; the slot is not set",
    section=FLOWS,
    known=READ,
)
ENGINE_REFUSES = Rule(
    "engine-refuses",
    "error",
    "what can be read, and the engine does not take: a called flow that links, a list that a flow collects, one intent "
    "that triggers two flows, a step named START, two flows of one name or description, mappings or settings that do "
    "not fit together, components and classes that are not there, secrets that are written out, sub agents without "
    "servers, examples and stories with other keys, rules that contradict each other, and others; in a Mantle "
    "project files of another engine, entries of `mcp_servers`, imports and memory",
    why="`rasa train` or `rasa data validate` refuses the project",
    section=FLOWS,
    known=READ,
)
REJECTION_OF_OTHERS = Rule(
    "rejection-of-others",
    "warning",
    "a rejection that looks at another slot than its own",
    why="the engine shows it its own slot only: the other one is undefined, and the rule hardly ever rejects",
    section=FLOWS,
    known=READ,
)
FORM_SLOT_WITHOUT_MAPPING = Rule(
    "form-slot-without-mapping",
    "error",
    "a slot that a form of a classic project requires, without `mappings`",
    why="the form can never fill it and asks for ever",
    section=FLOWS,
    known=READ,
)
UNCALLED_ACTION = Rule(
    "uncalled-action",
    "warning",
    "an action or a method named `validate_...`, `extract_...` or `action_ask_...` that an engine never calls",
    why="it looks as if it did something",
    section=CODE,
    known=READ,
)
EVENT_WITHOUT_LIST = Rule(
    "event-without-list",
    "warning",
    "`run` returns one event instead of a list of events",
    why="this server takes it; rasa-sdk answers 200 and the event is lost",
    section=CODE,
)
BLOCKING_CALL = Rule(
    "blocking-call",
    "warning",
    "a call that waits, without `await`, inside of an `async def` of an action",
    why="all other calls of the worker wait for it, the health checks too",
    section=CODE,
)
NOT_AWAITED = Rule(
    "not-awaited",
    "error",
    "a coroutine that is called as a statement, without `await`",
    why="what it should do is never done",
    section=CODE,
)
UNUSED_SILENCING = Rule(
    "unused-silencing",
    "warning",
    "a comment `# action-server: ignore[...]` on a line without such a finding, or with a rule that does not exist",
    why="it hides the next fault on that line",
    section=COMMENTS,
)

RULES: dict[str, Rule] = rules_in(globals())
