"""Sends spans to collectors, with OpenTelemetry's own exporters; they are imported when one is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from action_server.telemetry.collectors import DEFAULT_SERVICE_NAME, Collector

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter


def tracer_provider(collectors: Sequence[Collector]) -> TracerProvider:
    """Return a provider that sends its spans to each collector. Threads start here.

    Raises:
        Exception: whatever OpenTelemetry raises when a variable of its own is wrong.
    """
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider

    resource = Resource.create({"process.pid": os.getpid()})
    named = next((c.service_name for c in collectors if c.service_name), None)
    if named is None and str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        named = next((c.default_service_name for c in collectors), DEFAULT_SERVICE_NAME)
    if named is not None:
        resource = resource.merge(Resource({SERVICE_NAME: named}))
    # Tracing.close() is the end; at the interpreter's own a collector that is gone could hold it.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for collector in collectors:
        provider.add_span_processor(_processor(collector))
    return provider


def _processor(collector: Collector) -> SpanProcessor:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    exporter: SpanExporter
    if collector.transfer == "console":
        exporter = ConsoleSpanExporter()
    elif collector.transfer == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

        exporter = OverHttp(endpoint=collector.endpoint)
    else:
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

        root = collector.root_certificates
        exporter = OverGrpc(
            endpoint=collector.endpoint,
            insecure=collector.insecure,
            credentials=grpc.ssl_channel_credentials(root) if root else None,
            # In lower case, which rasa-sdk's is not: gRPC refuses any other.
            headers=[("authorization", collector.authorization)] if collector.authorization else None,
        )
    return BatchSpanProcessor(exporter)
