"""compose.yaml and the manifests of kubernetes/ against the server's settings, the image and published schemas."""

import re
from pathlib import Path

import pytest
import yaml

from polyseme.server.config import ServerConfig
from polyseme.v1 import embedding_service_pb2, model_service_pb2, prediction_service_pb2

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SERVICE = embedding_service_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].full_name
DEFAULTS = ServerConfig()
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KUBERNETES = ("1.27", "1.37")  # probes of gRPC are for all since 1.27; the newest whose schemas the package has
GATEWAY_API = ROOT / ".cache/gateway-api"  # by `make gateway-api`
CONTRACT = (embedding_service_pb2, model_service_pb2, prediction_service_pb2)


def variable(value):
    """What ${NAME:-default} gives where NAME is not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def service(compose):
    return compose["services"]["polyseme"]


def manifests():
    return [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text())]


def is_of_gateway_api(manifest):
    return manifest["apiVersion"].startswith("gateway.networking.k8s.io/")


@pytest.fixture(scope="module")
def kubernetes():
    return {manifest["kind"]: manifest for manifest in manifests()}


@pytest.fixture(scope="module")
def pod(kubernetes):
    return kubernetes["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (container,) = pod["containers"]
    return container


def test_every_image_has_a_version(compose, container):
    images = [service["image"] for service in compose["services"].values()] + [container["image"]]
    assert all(re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)+", image) for image in images), images


def test_compose_runs_it_with_the_least_rights(service):
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"][0].endswith(":/models:ro")


def test_compose_waits_for_a_drain(service):
    assert float(service["stop_grace_period"].removesuffix("s")) > DEFAULTS.drain_delay_s + DEFAULTS.grace_s


def test_compose_settings_are_ones_that_the_server_takes(service):
    environment = {name: variable(value) for name, value in service["environment"].items()}
    assert ServerConfig.from_sources({}, environment).host == "0.0.0.0"
    assert set(environment) == {"POLYSEME_HOST"}
    assert float(variable(service["cpus"])) > 0  # the server makes as many runners


def test_what_runs_in_a_container_listens_on_its_own_address(service, container):
    """The server's default is loopback, which nothing outside a container reaches."""
    assert service["environment"]["POLYSEME_HOST"] == "0.0.0.0"
    assert {"name": "POLYSEME_HOST", "value": "0.0.0.0"} in container["env"]


def test_compose_opens_ports_to_this_machine_alone(compose):
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert f"127.0.0.1:{DEFAULTS.port}:{DEFAULTS.port}" in ports


def test_compose_and_the_image_agree_on_health(service):
    dockerfile = (ROOT / "Dockerfile").read_text()
    health = service["healthcheck"]
    flags = {
        name: f"--{name.replace('_', '-')}={health[name]}"
        for name in ("interval", "timeout", "start_period", "retries")
    }
    assert all(flag in dockerfile for flag in flags.values())
    assert health["test"] == ["CMD", "polyseme", "health", "--service", SERVICE]


def test_what_compose_mounts_is_there(compose):
    mounted = [volume.split(":")[0] for service in compose["services"].values() for volume in service["volumes"]]
    ours = [path for path in mounted if path.startswith("./")]
    assert len(ours) == 4
    assert all((DEPLOY / path).exists() for path in ours)


def test_prometheus_scrapes_the_metrics_port_and_reads_the_rules(compose):
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (scrape,) = config["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": [f"polyseme:{DEFAULTS.metrics_port}"]}]
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["prometheus"]["volumes"])
    assert mounts["./prometheus-rules.yml"] == f"/etc/prometheus/{config['rule_files'][0]}"


def test_kubernetes_runs_it_with_the_least_rights(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (
        f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
        in (ROOT / "Dockerfile").read_text()
    )
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_a_service_of_the_same_name_does_not_set_the_port(kubernetes, pod):
    """Kubernetes would set POLYSEME_PORT=tcp://ADDRESS:50051, which is no port."""
    assert kubernetes["Service"]["metadata"]["name"] == "polyseme"
    assert pod["enableServiceLinks"] is False


def test_kubernetes_waits_for_a_drain(pod, container):
    environment = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    config = ServerConfig.from_sources({}, environment)
    assert pod["terminationGracePeriodSeconds"] > config.drain_delay_s + config.grace_s
    period = container["readinessProbe"]["periodSeconds"]
    assert config.drain_delay_s >= period, "a probe has to see that it is not ready"


def test_kubernetes_knows_readiness_from_liveness(container):
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["grpc"] == {"port": DEFAULTS.port, "service": SERVICE}
    assert container["livenessProbe"]["grpc"] == {"port": DEFAULTS.port}


def test_kubernetes_sets_settings_that_there_are(container):
    import dataclasses

    known = {f"POLYSEME_{field.name.upper()}" for field in dataclasses.fields(ServerConfig)}
    assert {entry["name"] for entry in container["env"]} <= known


def test_the_service_finds_the_ports_of_the_pod(kubernetes, container):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": DEFAULTS.port, "metrics": DEFAULTS.metrics_port}
    assert {port["targetPort"] for port in kubernetes["Service"]["spec"]["ports"]} == set(ports)


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(version):
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="make venv brings it")
    for manifest in manifests():
        if not is_of_gateway_api(manifest):
            kubernetes_validate.validate(manifest, version, strict=True)


def closed(schema):
    """The schema, refusing fields that it does not name, as `kubectl apply` does; the API itself drops them."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(part) for name, part in schema.items()}
    return {**inner, "additionalProperties": False} if "properties" in schema else inner


def test_gateway_api_knows_every_field():
    jsonschema = pytest.importorskip("jsonschema", reason="make venv brings it, with kubernetes-validate")
    if not (GATEWAY_API / ".unpacked").is_file():
        pytest.skip("make gateway-api brings its schemas, with Go")
    ours = [manifest for manifest in manifests() if is_of_gateway_api(manifest)]
    assert {manifest["kind"] for manifest in ours} == {"Gateway", "GRPCRoute"}
    for manifest in ours:
        definition = yaml.safe_load(
            (GATEWAY_API / f"gateway.networking.k8s.io_{manifest['kind'].lower()}s.yaml").read_text()
        )
        _, _, version = manifest["apiVersion"].partition("/")
        (schema,) = [
            each["schema"]["openAPIV3Schema"] for each in definition["spec"]["versions"] if each["name"] == version
        ]
        schema["properties"]["metadata"] = True  # the definition leaves it to Kubernetes
        jsonschema.validate(manifest, closed(schema))


def test_the_route_leads_to_the_contract_and_to_nothing_else(kubernetes):
    (rule,) = kubernetes["GRPCRoute"]["spec"]["rules"]
    contract = {service.full_name for file in CONTRACT for service in file.DESCRIPTOR.services_by_name.values()}
    assert {match["method"]["service"] for match in rule["matches"]} == contract | {"grpc.health.v1.Health"}
    service = kubernetes["Service"]
    (port,) = [port for port in service["spec"]["ports"] if port["name"] == "grpc"]
    assert rule["backendRefs"] == [{"name": service["metadata"]["name"], "port": port["port"]}]
    assert port["appProtocol"] == "kubernetes.io/h2c"


def test_the_route_comes_in_by_the_gateway(kubernetes):
    gateway, route = kubernetes["Gateway"], kubernetes["GRPCRoute"]["spec"]
    (listener,) = gateway["spec"]["listeners"]
    assert route["parentRefs"] == [{"name": gateway["metadata"]["name"]}]
    assert route["hostnames"] == [listener["hostname"]]


def test_the_autoscaler_scales_the_deployment_and_leaves_a_pod_to_disrupt(kubernetes, container):
    autoscaler, deployment = kubernetes["HorizontalPodAutoscaler"]["spec"], kubernetes["Deployment"]
    assert autoscaler["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": "Deployment",
        "name": deployment["metadata"]["name"],
    }
    assert autoscaler["minReplicas"] > kubernetes["PodDisruptionBudget"]["spec"]["minAvailable"]
    assert autoscaler["minReplicas"] == deployment["spec"]["replicas"]
    assert "cpu" in container["resources"]["requests"], "what a share of the CPU is a share of"
