// Registrations at one source of its own, by k6 (https://k6.io):
//
//   k6 run scripts/loadtest.k6.js                                        64 virtual users, each one after another
//   k6 run -e RATE=2000 scripts/loadtest.k6.js                           2,000 registrations a second
//   k6 run -e URL=http://127.0.0.1:8001 -e DURATION=1m scripts/loadtest.k6.js
//
// It fails if a registration does, or if an operator ends with more contacts than allowed.
import { check, fail } from "k6";
import exec from "k6/execution";
import http from "k6/http";

const url = `${__ENV.URL || "http://127.0.0.1:8000"}/api/v1`;
const duration = __ENV.DURATION || "10s";
const json = { headers: { "Content-Type": "application/json" } };
if (__ENV.API_KEY) json.headers.Authorization = `Bearer ${__ENV.API_KEY}`;

export const options = {
  scenarios: {
    registrations: __ENV.RATE
      ? { executor: "constant-arrival-rate", rate: Number(__ENV.RATE), duration, preAllocatedVUs: 64, maxVUs: 1024 }
      : { executor: "constant-vus", vus: 64, duration },
  },
  thresholds: { checks: ["rate==1"] },
};

function post(path, body) {
  return http.post(url + path, JSON.stringify(body), json);
}

function create(path, body) {
  const answer = post(path, body);
  if (answer.status !== 201) fail(`${path}: ${answer.status} ${answer.body}`);
  return answer.json();
}

export function setup() {
  const run = Date.now();
  const operators = [];
  for (let number = 1; number <= 20; number++) {
    operators.push(create("/operators", { name: `k6 ${run}, operator ${number}`, max_load: 1000000000 }).id);
  }
  const source = create("/sources", { name: `k6 ${run}` }).id;
  create(`/sources/${source}/distribution`, { operator_weights: operators.map((id) => ({ operator_id: id })) });
  return { run, operators, source };
}

export default function ({ run, source }) {
  const answer = post("/contacts", {
    source_id: source,
    lead_phone: `+${run}${1000 + exec.vu.idInTest}${exec.vu.iterationInInstance}`,
    lead_name: "Петр Петров",
    message: "Хочу узнать о продукте",
  });
  check(answer, { "registered": (answer) => answer.status === 201 && answer.json("operator_id") !== null });
}

export function teardown({ operators }) {
  for (const id of operators) {
    const operator = http.get(`${url}/operators/${id}`).json();
    check(operator, { "no load over its limit": (operator) => operator.current_load <= operator.max_load });
  }
}
