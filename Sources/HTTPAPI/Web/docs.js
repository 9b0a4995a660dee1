// Shows the description of the API: in Swagger UI or Redoc where the page's template can be loaded, else by ourselves.
import { Description } from "./description.js";
import { page } from "./operations.js";

const url = "/openapi.json";
/** How long nothing is shown, in milliseconds, while the viewer may still come: a network may swallow requests. */
const patience = 5000;

async function loadViewer() {
  const assets = [...document.importNode(document.querySelector("template").content, true).children];
  const loads = assets.map((asset) => new Promise((resolve, reject) => {
    asset.onload = resolve;
    asset.onerror = reject;
  }));
  document.head.append(...assets);
  const tooLate = new Promise((_, reject) => setTimeout(reject, patience));
  try {
    await Promise.race([Promise.all(loads), tooLate]);
  } catch {
    assets.forEach((asset) => asset.remove());
  }
}

/** Hands the page over to the viewer, if it is there. */
function showViewer(main) {
  if (!window.SwaggerUIBundle && !window.Redoc) return false;
  document.querySelector("link[href='/docs/assets/page.css']").remove();
  document.body.style.margin = "0";
  if (window.Redoc) {
    window.Redoc.init(url, {}, main);
  } else {
    window.SwaggerUIBundle({ url, domNode: main, deepLinking: true, showCommonExtensions: true });
  }
  return true;
}

async function showPage(main) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} was answered ${answer.status}`);
  main.replaceChildren(...page(new Description(await answer.json())));
  const openTarget = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
    target?.scrollIntoView();
  };
  addEventListener("hashchange", openTarget);
  openTarget();
}

const main = document.querySelector("main");
main.textContent = "Loading…";
await loadViewer();
main.textContent = "";
if (!showViewer(main)) {
  try {
    await showPage(main);
  } catch (error) {
    main.textContent = `The description of the API could not be loaded: ${error.message}. Reload the page to try again.`;
  }
}
