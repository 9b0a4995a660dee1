/** Makes an element. Children that are strings become text: nothing in a description or an answer is ever read as HTML. */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

/** The paragraphs of a description, with what is `between backticks` as code. */
export function paragraphs(text = "") {
  return text.split("\n\n").filter(Boolean).map((paragraph) =>
    element("p", {}, ...paragraph.split("`").map((part, index) => index % 2 ? element("code", {}, part) : part)));
}

/** A value as it is in JSON, or a text as it is. */
export function block(value) {
  return element("pre", { tabIndex: 0 }, typeof value === "string" ? value : JSON.stringify(value, null, 2));
}
