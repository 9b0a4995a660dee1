import { block, element } from "./element.js";

/** A form that sends a request to the service and shows its answer. */
export function form(operation, description) {
  const { method, parameters, requestBody } = operation;
  const fields = parameters.map((parameter) => [parameter, field(parameter, description)]);
  const example = requestBody?.content["application/json"].example;
  const body = requestBody && element("textarea", {
    name: "body", rows: 10, spellcheck: false, value: example === undefined ? "" : JSON.stringify(example, null, 2),
  });
  const button = element("button", {}, "Send");
  const answer = element("div", { ariaLive: "polite" });
  const form = element("form", {},
    element("h3", {}, method === "get" ? "Try it" : "Try it: this changes what is stored"),
    ...fields.map(([parameter, input]) => labelled(parameter.name, input)),
    body && labelled("body", body),
    button, answer);
  form.onsubmit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    const { target, headers } = request(operation, fields);
    if (body) headers["Content-Type"] = "application/json";
    answer.replaceChildren(...await send(method, target, headers, body?.value));
    button.disabled = false;
  };
  return form;
}

function labelled(name, input) {
  return element("label", {}, element("span", {}, name, input.required ? " (required)" : ""), input);
}

function field(parameter, description) {
  const { name, required = false, example } = parameter;
  const schema = description.resolve(parameter.schema);
  const values = schema.type === "boolean" ? ["true", "false"] : schema.enum;
  if (!values) return element("input", { name, required, value: required ? String(example ?? "") : "", autocomplete: "off" });
  return element("select", { name, required },
    ...(required ? values : ["", ...values]).map((value) => element("option", { value }, value)));
}

/** The path with its query, and the headers, of what is filled in. */
function request(operation, fields) {
  let target = operation.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const [{ name, in: place }, { value }] of fields) {
    if (place === "path") {
      target = target.replace(`{${name}}`, encodeURIComponent(value));
    } else if (value !== "") {
      if (place === "query") query.append(name, value);
      else headers[name] = value;
    }
  }
  return { target: query.size ? `${target}?${query}` : target, headers };
}

/** Sends a request. The elements that show what came back. */
async function send(method, target, headers, body) {
  try {
    const start = performance.now();
    const response = await fetch(target, { method: method.toUpperCase(), headers, body });
    const text = await response.text();
    const duration = Math.round(performance.now() - start);
    return [
      element("h3", {}, `${response.status} ${response.statusText}, ${duration} ms`),
      block(`${method.toUpperCase()} ${target}\n\n${[...response.headers].map((pair) => pair.join(": ")).join("\n")}`),
      ...text ? [block(isJSON(response) ? JSON.parse(text) : text)] : [],
    ];
  } catch (error) {
    return [element("h3", {}, "No answer"), block(error.message)];
  }
}

function isJSON(response) {
  return /[/+]json\b/.test(response.headers.get("Content-Type"));
}
