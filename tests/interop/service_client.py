"""A client of the coordinator that knows nothing but coordinator.proto and coordinator.json.

    service_client.py CHECK RUN_DIR STUBS    STUBS: folder with the modules generated from coordinator.proto
"""
import json
import pathlib
import socket
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

check, run_dir, stubs = sys.argv[1:]
sys.path.insert(0, stubs)
import coordinator_pb2 as messages  # noqa: E402
import coordinator_pb2_grpc as services  # noqa: E402

record = json.loads((pathlib.Path(run_dir) / "coordinator.json").read_text())
PATIENCE = 60


def metadata(scheme="Bearer"):
    return (("authorization", f"{scheme} {record['token']}"),)


def channel():
    return grpc.insecure_channel(record["address"], options=[("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)])


def secure_channel(host):
    """By TLS, without an override of the name that the certificate must have."""
    port = record["remote"][0].rsplit(":", 1)[1]
    trust = grpc.ssl_channel_credentials(root_certificates=record["certificate"].encode())
    return grpc.secure_channel(f"{host}:{port}", trust, options=[("grpc.enable_http_proxy", 0)])


def calls(open_channel):
    """Every call that steers nothing, with the scheme of the token in any case."""
    with open_channel as opened:
        stub = services.CoordinatorStub(opened)
        for scheme in ("Bearer", "bearer", "BEARER"):
            status = stub.GetStatus(messages.GetStatusRequest(), metadata=metadata(scheme), timeout=PATIENCE)
            assert status.run.ranks == 2, status
        watched = stub.WatchStatus(messages.WatchStatusRequest(interval_ms=50), metadata=metadata(), timeout=PATIENCE)
        assert next(watched).run.name == next(watched).run.name == status.run.name
        watched.cancel()
        saved = stub.SaveCheckpoint(messages.SaveCheckpointRequest(), metadata=metadata(), timeout=PATIENCE).checkpoint
        listed = stub.ListCheckpoints(messages.ListCheckpointsRequest(), metadata=metadata(), timeout=PATIENCE)
        assert saved.path in [each.path for each in listed.checkpoints], (saved, listed)
        health = health_pb2_grpc.HealthStub(opened)
        for service in ("", "lockstep.v1.Coordinator"):
            reply = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
        assert next(health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)).status == health_pb2.HealthCheckResponse.SERVING


def reflection():
    """What a tool like grpcurl asks: the services, the file of each, and all files that these import."""
    with channel() as opened:
        stub = reflection_pb2_grpc.ServerReflectionStub(opened)

        def ask(**request):
            requests = iter([reflection_pb2.ServerReflectionRequest(**request)])
            return next(stub.ServerReflectionInfo(requests, metadata=metadata(), timeout=PATIENCE))

        files = {}

        def keep(reply, of):
            assert not reply.HasField("error_response"), (of, reply.error_response)
            for encoded in reply.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(encoded)
                if file.name in files:
                    continue
                files[file.name] = file
                for name in file.dependency:
                    keep(ask(file_by_filename=name), name)

        names = [each.name for each in ask(list_services="*").list_services_response.service]
        for name in names:
            keep(ask(file_containing_symbol=name), name)
        pool = descriptor_pool.DescriptorPool()
        added = set()

        def add(name):
            if name in added:
                return
            added.add(name)
            for dependency in files[name].dependency:
                add(dependency)
            pool.Add(files[name]) if hasattr(pool, "Add") else pool.AddSerializedFile(files[name].SerializeToString())

        for name in files:
            add(name)
        for name in names:
            for method in pool.FindServiceByName(name).methods:
                assert method.input_type.full_name and method.output_type.full_name
        for name in ("lockstep.v1.Coordinator", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"):
            assert name in names, names


def many_streams():
    """Streams that stay open, more than the server has threads; a call gets its answer all the same."""
    finished = threading.Event()

    def requests():
        yield reflection_pb2.ServerReflectionRequest(list_services="*")
        finished.wait(PATIENCE)

    with channel() as opened, channel() as other:
        stub = services.CoordinatorStub(opened)
        reflections = reflection_pb2_grpc.ServerReflectionStub(opened)
        streams = [reflections.ServerReflectionInfo(requests(), metadata=metadata(), timeout=PATIENCE) for _ in range(60)]
        watches = [stub.WatchStatus(messages.WatchStatusRequest(), metadata=metadata(), timeout=PATIENCE) for _ in range(40)]
        answered = 0
        for stream in streams + watches:
            try:
                next(stream)
                answered += 1
            except grpc.RpcError:
                pass  # one of those that are too many
        assert answered >= 20, answered
        for _ in range(20):
            services.CoordinatorStub(other).GetStatus(messages.GetStatusRequest(), metadata=metadata(), timeout=PATIENCE / 2)
        finished.set()
        for stream in streams + watches:
            stream.cancel()


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def health_check():
    """The frames of a health check on stream 1. Headers: POST and http by their numbers in HPACK's table, the rest literal."""

    def text(value):
        return bytes([len(value)]) + value.encode()

    headers = b"\x83\x86\x04" + text("/grpc.health.v1.Health/Check") + b"\x01" + text("localhost")
    headers += b"\x0f\x10" + text("application/grpc") + b"\x00" + text("te") + text("trailers")
    return frame(1, 4, 1, headers) + frame(0, 1, 1, bytes(5))


def keepalive():
    """A connection without a running call sends pings, as clients do that keep a connection alive; all are answered."""
    host, port = record["address"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
        connection.sendall(health_check())
        for number in range(6):
            ping = number.to_bytes(8, "big")
            connection.sendall(frame(6, 0, 0, ping))
            while True:
                header = stream.read(9)
                assert len(header) == 9, f"the connection was closed after ping {number}"
                payload = stream.read(int.from_bytes(header[:3], "big"))
                assert header[3] != 7, f"GOAWAY after ping {number}: {payload}"
                if header[3] == 6 and header[4] & 1:
                    assert payload == ping
                    break
            time.sleep(1.1)  # an interval that is allowed; a longer one is as well


def stop():
    with channel() as opened:
        reply = services.CoordinatorStub(opened).Stop(messages.StopRequest(message="the client"), metadata=metadata(), timeout=PATIENCE)
        assert reply.accepted, reply


{
    "calls": lambda: calls(channel()),
    "secure": lambda: [calls(secure_channel(host)) for host in ("127.0.0.1", "localhost")],
    "reflection": reflection,
    "many_streams": many_streams,
    "keepalive": keepalive,
    "stop": stop,
}[check]()
