"""Dashboard, rules and autoscaler ask for nothing but what a real server exports."""

import json
import re
import socket
import urllib.request
from pathlib import Path

import grpc
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.server.running import running

from polyseme.v1.embedding_service_pb2 import EmbedRequest

DEPLOY = Path(__file__).parents[2] / "deploy"
OURS = re.compile(r"\bpolyseme_\w+")
LABELS = re.compile(r"(polyseme_\w+)\{([^}]*)\}")


@pytest.fixture(scope="module")
def exported(tiny_artifact):
    """Sample names and their label names, as Prometheus gets them after a call that ends well and one that does not."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(tiny_artifact, metrics_port=port) as server:
        server.embedding.Embed(EmbedRequest(texts=["a", "b c"]), timeout=300)
        with pytest.raises(grpc.RpcError):
            server.embedding.Embed(EmbedRequest(), timeout=300)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=300) as reply:
            families = text_string_to_metric_families(reply.read().decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((DEPLOY / "grafana/dashboards/polyseme.json").read_text())


@pytest.fixture(scope="module")
def rules():
    (group,) = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text())["groups"]
    return group["rules"]


def panel_queries(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def variable_queries(dashboard):
    return [variable["definition"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]


def test_the_dashboard_asks_for_metrics_that_there_are(dashboard, exported):
    asked = {name for query in panel_queries(dashboard) + variable_queries(dashboard) for name in OURS.findall(query)}
    assert asked - set(exported) == set()


def test_the_dashboard_shows_every_metric(dashboard, exported):
    shown = {name for query in panel_queries(dashboard) for name in OURS.findall(query)}
    families = {re.sub(r"_(bucket|sum|count|created|total)$", "", name) for name in exported}
    assert families - {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in shown} == set()


def test_rules_ask_for_metrics_that_there_are(rules, exported):
    asked = {name for rule in rules for name in OURS.findall(rule["expr"])}
    assert asked
    assert asked - set(exported) == set()


def test_rules_use_recorded_series_that_are_recorded(rules):
    recorded = [rule["record"] for rule in rules if "record" in rule]
    used = {name for rule in rules for name in re.findall(r"polyseme(?::\w+)+", rule["expr"])}
    assert used <= set(recorded)
    assert len(set(recorded)) == len(recorded)


def test_queries_select_by_labels_that_there_are(dashboard, rules, exported):
    of_prometheus = {"job", "instance"}
    for query in panel_queries(dashboard) + [rule["expr"] for rule in rules]:
        for name, selectors in LABELS.findall(query):
            used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", selectors)))
            assert used <= exported[name] | of_prometheus, query


def test_status_names_are_those_of_grpc(dashboard, rules):
    known = {code.name for code in grpc.StatusCode}
    queries = panel_queries(dashboard) + [rule["expr"] for rule in rules]
    named = {code for query in queries for value in re.findall(r'code=~?"([^"]*)"', query) for code in value.split("|")}
    assert {"RESOURCE_EXHAUSTED", "INTERNAL"} <= named <= known


def test_every_alert_says_what_is_wrong_and_how_urgent(rules):
    for rule in (rule for rule in rules if "alert" in rule):
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_panels_do_not_overlap_and_use_the_chosen_data_source(dashboard):
    taken = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_grafana_is_told_of_the_data_source_and_the_dashboards(dashboard):
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/polyseme.yaml").read_text())["providers"]
    (chosen,) = (v for v in dashboard["templating"]["list"] if v["type"] == "datasource")
    assert source["uid"] == chosen["current"]["value"]
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["grafana"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in compose["volumes"]


def test_the_autoscaler_asks_for_a_metric_that_the_adapter_makes_of_one_that_there_is(exported):
    autoscaler = yaml.safe_load((DEPLOY / "kubernetes/autoscaler.yaml").read_text())
    (asked,) = [
        metric["pods"]["metric"]["name"] for metric in autoscaler["spec"]["metrics"] if metric["type"] == "Pods"
    ]
    (rule,) = yaml.safe_load((DEPLOY / "prometheus-adapter.yml").read_text())["rules"]["custom"]
    assert rule["seriesQuery"].partition("{")[0] == asked
    assert asked in exported
