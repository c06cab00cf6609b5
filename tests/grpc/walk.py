"""A client that knows nothing of the service but its address: everything else it asks by server reflection.

Run against a demo: `walk.py --demo target/demo/demo.json`. The last line on standard output is the sum, as JSON.
"""

import argparse
import json
import sys
import time
import unittest
import urllib.parse
import urllib.request
import uuid

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

PATIENCE = 60
GUEST_PORT = 8080

demo = {}


class Service:
    """Calls by name: `service("ListContainers", owner="")`."""

    def __init__(self, channel, pool, name, token=None):
        self.channel = channel
        self.name = name
        self.methods = pool.FindServiceByName(name).methods_by_name
        self.metadata = [("authorization", f"Bearer {token}")] if token else []

    def request(self, method, fields):
        return message_factory.GetMessageClass(self.methods[method].input_type)(**fields)

    def __call__(self, method, **fields):
        return self.send(method, self.request(method, fields))

    def send(self, method, request, timeout=PATIENCE):
        descriptor = self.methods[method]
        kind = self.channel.unary_stream if descriptor.server_streaming else self.channel.unary_unary
        call = kind(
            f"/{self.name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(descriptor.output_type).FromString,
        )
        return call(request, metadata=self.metadata, timeout=timeout)


class Walk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(demo["ca_file"], "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        target = urllib.parse.urlsplit(demo["url"]).netloc
        cls.channel = grpc.secure_channel(target, credentials)
        cls.database = ProtoReflectionDescriptorDatabase(cls.channel)
        cls.pool = descriptor_pool.DescriptorPool(cls.database)
        cls.tokens = {}

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()

    @classmethod
    def token(cls, name):
        if name not in cls.tokens:
            user = next(user for user in demo["users"] if user["name"] == name)
            auth = Service(cls.channel, cls.pool, "berth.v1.AuthService")
            answer = auth("SignIn", account=name, password=user["password"], device="python")
            cls.tokens[name] = answer.token
        return cls.tokens[name]

    def containers(self, user="alice"):
        return Service(self.channel, self.pool, "berth.v1.ContainerService", self.token(user))

    def phase(self, container):
        return container.DESCRIPTOR.fields_by_name["phase"].enum_type.values_by_number[container.phase].name

    def until(self, containers, name, done):
        """Follows one container by Watch; a stream that ends is opened again."""
        deadline = time.monotonic() + PATIENCE
        seen = []
        while time.monotonic() < deadline:
            container, complete = None, False
            request = containers.request("WatchContainers", {"name": name})
            try:
                for change in containers.send("WatchContainers", request, deadline - time.monotonic()):
                    complete = complete or change.last
                    if container is not None and container.id in change.removed_ids:
                        container = None
                    for changed in change.containers:
                        if changed.name == name:
                            container = changed
                            seen.append(self.phase(changed))
                    if complete and done(container):
                        return container
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
        self.fail(f"{name} did not come so far in {PATIENCE} s: {seen}")

    def page(self, url):
        """What a program says that was started a moment ago, and may not listen yet."""
        deadline = time.monotonic() + 10
        while True:
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return answer.read().decode()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def refusal(self, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        return caught.exception

    def fields(self, error):
        """The fields that a BadRequest names."""
        status = rpc_status.from_call(error)
        self.assertIsNotNone(status, f"no details in {error}")
        found = []
        for detail in status.details:
            bad = error_details_pb2.BadRequest()
            if detail.Is(bad.DESCRIPTOR):
                detail.Unpack(bad)
                for violation in bad.field_violations:
                    self.assertTrue(violation.description, violation.field)
                    found.append(violation.field)
        return found

    def reason(self, error):
        for detail in rpc_status.from_call(error).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Is(info.DESCRIPTOR):
                detail.Unpack(info)
                self.assertEqual(info.domain, "berth")
                return info.reason
        self.fail(f"no ErrorInfo in {error}")

    def test_services_are_found_by_reflection(self):
        services = set(self.database.get_services())
        for name in ("berth.v1.AuthService", "berth.v1.ContainerService", "berth.v1.NodeService", "grpc.health.v1.Health"):
            self.assertIn(name, services)
        self.assertNotIn("berth.agent.v1.AgentService", services)

    def test_health(self):
        health = Service(self.channel, self.pool, "grpc.health.v1.Health")
        self.assertEqual(health("Check").status, 1)

    def test_a_container_from_request_to_end(self):
        containers = self.containers()
        request_id = str(uuid.uuid4())
        fields = {
            "name": "python",
            "image": demo["starter_image"],
            "guest_ports": [GUEST_PORT],
            "environment_text": 'A=1 GREETING="hello world"',
            "request_id": request_id,
        }
        created = containers("CreateContainer", **fields)
        self.assertEqual(created.full_name, "alice-python")
        self.assertEqual(created.environment["GREETING"], "hello world")
        # The same request again is the same container.
        self.assertEqual(containers("CreateContainer", **fields).id, created.id)

        running = self.until(containers, "python", lambda c: c is not None and self.phase(c) in ("PHASE_RUNNING", "PHASE_FAILED"))
        self.assertEqual(self.phase(running), "PHASE_RUNNING", running.reason)
        endpoint = running.endpoints[0]
        self.assertEqual(endpoint.guest_port, GUEST_PORT)
        self.assertIn("inside your container", self.page(endpoint.url))

        listed = containers("ListContainers")
        self.assertIn(created.id, [container.id for container in listed.containers])
        # For others it is not there, whatever it is called.
        for name in ("python", created.id):
            error = self.refusal(lambda: self.containers("bob")("GetContainer", name=name, owner="alice"))
            self.assertEqual(error.code(), grpc.StatusCode.NOT_FOUND)

        containers("DeleteContainer", name="python")
        self.until(containers, "python", lambda c: c is None)
        error = self.refusal(lambda: containers("GetContainer", name="python"))
        self.assertEqual(error.code(), grpc.StatusCode.NOT_FOUND)

    def test_strangers_reach_nothing(self):
        stranger = Service(self.channel, self.pool, "berth.v1.ContainerService")
        error = self.refusal(lambda: stranger("ListContainers"))
        self.assertEqual(error.code(), grpc.StatusCode.UNAUTHENTICATED)
        self.assertEqual(self.reason(error), "UNAUTHENTICATED")
        forged = Service(self.channel, self.pool, "berth.v1.ContainerService", "forged")
        error = self.refusal(lambda: forged("ListContainers"))
        self.assertEqual(error.code(), grpc.StatusCode.UNAUTHENTICATED)
        auth = Service(self.channel, self.pool, "berth.v1.AuthService")
        error = self.refusal(lambda: auth("SignIn", account="nobody-of-ours", password="wrong password"))
        self.assertEqual(error.code(), grpc.StatusCode.UNAUTHENTICATED)

    def test_students_see_no_blades(self):
        nodes = Service(self.channel, self.pool, "berth.v1.NodeService", self.token("bob"))
        error = self.refusal(lambda: nodes("ListNodes"))
        self.assertIn(error.code(), (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED))
        nodes = Service(self.channel, self.pool, "berth.v1.NodeService", self.token("admin"))
        self.assertEqual(len(nodes("ListNodes").nodes), 1)

    def test_bad_input_names_its_field(self):
        image = demo["starter_image"]
        good = {"name": "bad-input", "image": image}
        names = ["", "x" * 300, "..", "a/b", "a\0b", "a\nb", "\u202eab", "\U0001f680", "аdmin", "-a", "Upper", "a b"]
        cases = [("name", {"name": name}) for name in names]
        cases += [("image", {"image": text}) for text in ("", "UPPER/case", "a b", "x:tag:tag", "a@sha256:12", "../x", "x" * 600, "a\0b")]
        cases += [("guest_ports", {"guest_ports": ports}) for ports in ([0], [70000], [80, 80], list(range(1, 40)))]
        cases += [("guest_ports_text", {"guest_ports_text": text}) for text in ("0", "70000", "80 80", "-1", "http", "1e3", "4294967376")]
        cases += [
            ("environment", {"environment": {"NVIDIA_VISIBLE_DEVICES": "all"}}),
            ("environment", {"environment": {"": "x"}}),
            ("environment", {"environment": {"A B": "x"}}),
            ("environment", {"environment": {"A": "x\0y"}}),
            ("environment", {"environment": {"A": "x" * 1_000_000}}),
            ("environment_text", {"environment_text": "no-equals-sign"}),
            ("environment_text", {"environment_text": 'A="open'}),
            ("environment_text", {"environment_text": "A=1 A=2"}),
            ("environment_text", {"environment_text": "nvidia_visible_devices=all"}),
            ("gpus", {"gpus": 4294967295}),
            ("runtime", {"runtime": 2}),
            ("runtime", {"runtime": 77}),
            ("cpu_millis", {"cpu_millis": 1}),
            ("cpu_millis", {"cpu_millis": 4294967295}),
            ("memory_bytes", {"memory_bytes": 1}),
            ("memory_bytes", {"memory_bytes": 2**63}),
            ("lease", {"lease": {"seconds": 0}}),
            ("lease", {"lease": {"seconds": -5}}),
            ("lease", {"lease": {"seconds": 10**9}}),
            ("command", {"command": [""]}),
            ("command", {"command": ["a\0b"]}),
            ("command", {"command": ["x"] * 5000}),
            ("command_text", {"command_text": "sh -c 'open"}),
            ("node_labels", {"node_labels": {"a b": "c"}}),
            ("request_id", {"request_id": "not a uuid"}),
        ]
        containers = self.containers("bob")
        before = containers("ListContainers").total_size
        for field, wrong in cases:
            with self.subTest(field=field, wrong=str(wrong)[:60]):
                error = self.refusal(lambda: containers("CreateContainer", **{**good, **wrong}))
                self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT, error.details())
                self.assertEqual(self.reason(error), "INVALID_ARGUMENT")
                named = {name.split("[")[0] for name in self.fields(error)}
                self.assertEqual(named, {field})
        self.assertEqual(containers("ListContainers").total_size, before)

    def test_all_wrong_fields_are_named_at_once(self):
        error = self.refusal(lambda: self.containers("bob")("CreateContainer", name="Bad Name", image="Bad Image", guest_ports=[0]))
        named = {name.split("[")[0] for name in self.fields(error)}
        self.assertEqual(named, {"name", "image", "guest_ports"})

    def test_rough_handling(self):
        containers = self.containers("bob")
        huge = containers.request("CreateContainer", {"name": "huge", "environment_text": "x" * 100_000_000})
        error = self.refusal(lambda: containers.send("CreateContainer", huge))
        self.assertIn(
            error.code(),
            (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE),
            error.details(),
        )
        for timeout in (0, 0.000001, 0.001):
            try:
                containers.send("ListContainers", containers.request("ListContainers", {}), timeout)
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        watches = [containers.send("WatchContainers", containers.request("WatchContainers", {})) for _ in range(200)]
        for watch in watches:
            watch.cancel()
        # It still answers.
        self.assertEqual(containers("ListContainers").total_size, 0)

    def test_pages(self):
        containers = self.containers("bob")
        for fields in ({"page_size": 4294967295}, {"page_token": "forged"}, {"page_token": "\0"}):
            with self.subTest(fields=fields):
                try:
                    containers("ListContainers", **fields)
                except grpc.RpcError as error:
                    self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
                    self.assertTrue(self.fields(error))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", required=True, help="the demo.json of a running demo")
    with open(parser.parse_args().demo, encoding="utf-8") as file:
        demo.update(json.load(file))
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Walk)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    # A test with several wrong sub-tests is one that failed.
    wrong = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    print(json.dumps({"passed": result.testsRun - len(wrong), "failed": len(wrong)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
