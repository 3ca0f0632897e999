"""A client of the coordinator that knows nothing but coordinator.proto and coordinator.json.

    service_client.py CHECK RUN_DIR STUBS    STUBS: folder with the modules generated from coordinator.proto
"""
import json
import pathlib
import socket
import sys
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
    return grpc.insecure_channel(record["address"], options=[("grpc.enable_http_proxy", 0)])


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


def keepalive():
    """A connection without a call sends pings, as clients do that keep a connection alive; all are answered."""
    host, port = record["address"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        stream = connection.makefile("rb")
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        with channel() as opened:  # without this a coordinator may close a connection that only pings
            health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        for number in range(6):
            ping = number.to_bytes(8, "big")
            connection.sendall(bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + ping)
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
    "keepalive": keepalive,
    "stop": stop,
}[check]()
