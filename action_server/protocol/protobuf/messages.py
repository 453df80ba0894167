"""The published messages, with the parts that may be large as bytes: they are decoded when something reads them.

The wire is the same. A message within a message and bytes differ in nothing there, and a part that came in pieces is
those pieces one after the other.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory, struct_pb2
from rasa_sdk.grpc_py import action_webhook_pb2 as published

_BYTES = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
_REPEATED = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
_RAW = {
    "Tracker": ("events", "stack", "latest_message"),
    "WebhookRequest": ("domain",),
    "Domain": ("config", "session_config", "slots", "responses", "forms", "e2e_actions"),
}


def _copy_of_published() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto()
    published.DESCRIPTOR.CopyToProto(file)
    for message in file.message_type:
        for field in message.field:
            if field.name in _RAW.get(message.name, ()):
                field.type, field.label = _BYTES, _REPEATED
                field.ClearField("type_name")
    pool = descriptor_pool.DescriptorPool()
    for other in (struct_pb2, empty_pb2):
        pool.AddSerializedFile(other.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


def _class_of(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(name))


_pool = _copy_of_published()
Request: Any = _class_of("action_server_webhook.WebhookRequest")
Domain: Any = _class_of("action_server_webhook.Domain")
Struct: Any = _class_of("google.protobuf.Struct")
SERVICE: str = published.DESCRIPTOR.services_by_name["ActionService"].full_name
