import { block, element, paragraphs } from "./element.js";
import { form } from "./form.js";

/** The elements that show a description. */
export function page(description) {
  const { info, tags } = description.document;
  return [
    element("h1", {}, info.title, " ", element("small", { className: "quiet" }, info.version)),
    ...paragraphs(info.summary),
    ...paragraphs(info.description),
    element("p", { className: "note" },
      "This page is made from ", element("a", { href: "/openapi.json" }, "/openapi.json"),
      ", as the usual viewer could not be loaded. Where there is no internet the service can bring it: set ",
      element("code", {}, "DOCS_ASSETS_DIR"), "."),
    element("nav", { ariaLabel: "Sections" }, element("ul", {}, ...tags.map(({ name }) =>
      element("li", {}, element("a", { href: `#${name}` }, name))))),
    ...tags.map((tag) => element("section", {},
      element("h2", { id: tag.name }, tag.name),
      ...paragraphs(tag.description),
      ...description.operations(tag.name).map((operation) => details(operation, description)))),
  ];
}

function details(operation, description) {
  const { method, path, operationId, summary, parameters, requestBody, responses } = operation;
  const body = requestBody?.content["application/json"];
  return element("details", { id: operationId, className: "operation" },
    element("summary", {},
      element("code", { className: `method ${method}` }, method.toUpperCase()),
      element("code", {}, path),
      element("span", { className: "quiet" }, summary)),
    element("div", {},
      ...paragraphs(operation.description),
      ...section("Parameters", parameters.map((parameter) => ({ ...parameter, place: parameter.in })), description),
      ...content("Body", body, description),
      element("h3", {}, "Answers"),
      ...Object.entries(responses).map(([status, response]) => answer(status, description.resolve(response), description)),
      form(operation, description)));
}

function answer(status, response, description) {
  const json = response.content["application/json"];
  return element("details", { className: "response" },
    element("summary", {}, element("code", {}, status), " ", response.description),
    ...json ? content("", json, description) : paragraphs(Object.keys(response.content).join(", ")));
}

function content(title, media, description) {
  if (!media) return [];
  return [
    ...section(title, description.fields(media.schema), description),
    ...media.example === undefined ? [] : [block(media.example)],
  ];
}

/** A list of fields or parameters, each with its type and its words. */
function section(title, fields, description) {
  if (!fields.length) return [];
  const list = element("dl", {}, ...fields.flatMap(({ name, place, schema, required, description: words }) => [
    element("dt", {},
      element("code", {}, name),
      element("span", {}, [place, description.type(schema), required && "required"].filter(Boolean).join(", "))),
    element("dd", {}, ...paragraphs(words)),
  ]));
  return title ? [element("h3", {}, title), list] : [list];
}
