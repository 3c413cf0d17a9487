// Load with k6: a closed loop of 16 users, then a constant arrival rate. From the repository's root, against `make serve`:
//
//   k6 run --no-usage-report bench/load/k6/embed.js
//   k6 run --no-usage-report -e TARGET=localhost:50051 -e RATE=40 -e DURATION=20s -e ONLY=closed bench/load/k6/embed.js
//
// DURATION and WARM_UP are whole seconds; ONLY is closed or rate.
import { check } from "k6";
import exec from "k6/execution";
import { Client, StatusOK } from "k6/net/grpc";
import { Counter } from "k6/metrics";

const TARGET = __ENV.TARGET || "localhost:50051";
const USERS = Number(__ENV.USERS || 16);
const RATE = Number(__ENV.RATE || 40);
const DURATION = __ENV.DURATION || "20s";
const WARM_UP = __ENV.WARM_UP || "2s";
const MEASURED_FROM = parseInt(WARM_UP, 10) + 1; // seconds: what the warm-up left in the queue is done by then
const REQUESTS = JSON.parse(open("../ghz/data/single.json"));

const statuses = new Counter("calls_by_status");
const client = new Client();
client.load(["../../proto"], "polyseme/v1/embedding_service.proto");

const SCENARIOS = {
  warm_up: { executor: "constant-vus", vus: USERS, duration: WARM_UP, gracefulStop: "10s" },
  closed: { executor: "constant-vus", vus: USERS, duration: DURATION, startTime: `${MEASURED_FROM}s`, gracefulStop: "10s" },
  rate: {
    executor: "constant-arrival-rate",
    rate: RATE,
    timeUnit: "1s",
    duration: DURATION,
    startTime: `${__ENV.ONLY === "rate" ? MEASURED_FROM : MEASURED_FROM + parseInt(DURATION, 10) + 2}s`,
    preAllocatedVUs: 64,
    gracefulStop: "10s",
  },
};
const CHOSEN = __ENV.ONLY ? ["warm_up", __ENV.ONLY] : Object.keys(SCENARIOS);
const MEASURED = CHOSEN.filter((name) => name !== "warm_up");

export const options = {
  scenarios: Object.fromEntries(CHOSEN.map((name) => [name, SCENARIOS[name]])),
  summaryTrendStats: ["avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"],
  thresholds: {
    checks: ["rate==1"], // every call OK
    // A threshold makes k6 show a scenario's own figures; the limits are far above what a healthy server needs.
    ...Object.fromEntries(
      MEASURED.flatMap((name) => [
        [`grpc_req_duration{scenario:${name}}`, ["p(99)<5000"]],
        [`calls_by_status{scenario:${name},status:OK}`, ["count>0"]],
      ]),
    ),
    // An arrival that found no free user was not sent: then the rate was not offered, and latencies are too good.
    ...(MEASURED.includes("rate") ? { "dropped_iterations{scenario:rate}": ["count==0"] } : {}),
  },
};

let connected = false; // of this user: k6 has a connection per user

export default function () {
  if (!connected) {
    client.connect(TARGET, { plaintext: true, timeout: "10s" });
    connected = true;
  }
  const request = REQUESTS[exec.scenario.iterationInTest % REQUESTS.length];
  const response = client.invoke("polyseme.v1.EmbeddingService/Embed", request, { timeout: "10s" });
  const ok = check(response, { "status is OK": (r) => r && r.status === StatusOK });
  statuses.add(1, { status: ok ? "OK" : `code ${response.status}` });
}
