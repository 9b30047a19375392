// The OpenAPI document as a page, and a form for each operation. What comes from elsewhere is only ever text.

const who = document.getElementById("who");
const main = document.getElementById("operations");

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function input(name, schema) {
  const one = schema.items ?? schema;
  const choices = one.enum ?? (one.type === "boolean" ? ["true", "false"] : null);
  if (choices === null) return make("input", { name, size: 40, placeholder: one.format ?? one.type });
  return make("select", { name }, ...["", ...choices].map((value) => make("option", { value }, value)));
}

function note(schema) {
  const one = schema.items ?? schema;
  const said = [];
  if (schema.items) said.push("may be given again, separated by spaces");
  if (one.minimum !== undefined) said.push(`${one.minimum} to ${one.maximum}`);
  if (one.maxLength !== undefined) said.push(`at most ${one.maxLength} characters`);
  return said.join(", ");
}

function row(name, schema, required) {
  const field = input(name, schema);
  field.required = required;
  const label = make("td", {}, required ? `${name} *` : name);
  return make("tr", {}, label, make("td", {}, field), make("td", { className: "note" }, note(schema)));
}

function fields(operation) {
  const form = operation.requestBody?.content["application/x-www-form-urlencoded"].schema;
  const rows = operation.parameters
    .filter((one) => one.name !== "AccountSid")
    .map((one) => ({ ...one, place: one.in }));
  for (const [name, schema] of Object.entries(form?.properties ?? {})) {
    rows.push({ name, schema, place: "form", required: (form.required ?? []).includes(name) });
  }
  return rows;
}

function request(method, path, rows, form) {
  const query = new URLSearchParams();
  const body = new URLSearchParams();
  const account = who.elements.account.value || who.elements.user.value;
  let target = path.replace("{AccountSid}", encodeURIComponent(account));
  for (const { name, place, schema } of rows) {
    const value = form.elements[name].value;
    if (place === "path") target = target.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "") {
      for (const one of schema.items ? value.split(/\s+/) : [value]) {
        (place === "form" ? body : query).append(name, one);
      }
    }
  }
  const proof = `${who.elements.user.value}:${who.elements.secret.value}`;
  const bytes = String.fromCharCode(...new TextEncoder().encode(proof));
  const options = { method, headers: { Authorization: `Basic ${btoa(bytes)}` } };
  if (method === "POST") options.body = body;
  return [query.size ? `${target}?${query}` : target, options];
}

async function send(event, method, path, rows, answer) {
  event.preventDefault();
  answer.textContent = "…";
  try {
    const response = await fetch(...request(method, path, rows, event.target));
    const text = await response.text();
    const shown = response.headers.get("content-type")?.includes("json")
      ? JSON.stringify(JSON.parse(text), null, 2)
      : text.slice(0, 2000);
    answer.textContent = `${response.status} ${response.statusText}\n${shown}`;
  } catch (error) {
    answer.textContent = String(error);
  }
}

function open(details, method, path, operation) {
  if (details.childElementCount > 1) return;
  const rows = fields(operation);
  const answer = make("pre", { textContent: "" });
  const scope = operation["x-scope"] || "the account itself, or main";
  const table = make("table", {}, ...rows.map((one) => row(one.name, one.schema, one.required)));
  const form = make("form", {}, table, make("button", {}, "Send"), ` `);
  form.append(make("span", { className: "scope" }, `a key needs: ${scope}`));
  form.addEventListener("submit", (event) => send(event, method, path, rows, answer));
  details.append(form, answer);
}

function show(description) {
  const products = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [word, operation] of Object.entries(methods)) {
      const method = word.toUpperCase();
      const title = make("b", { className: method }, method);
      const summary = make("summary", {}, title, make("code", {}, path), operation.summary);
      const details = make("details", {}, summary);
      details.dataset.words = `${method} ${path} ${operation.summary}`.toLowerCase();
      details.addEventListener("toggle", () => open(details, method, path, operation));
      const product = operation.tags[0];
      if (!products.has(product)) products.set(product, [make("h2", {}, product)]);
      products.get(product).push(details);
    }
  }
  main.replaceChildren(...[...products.values()].map((parts) => make("section", {}, ...parts)));
}

who.addEventListener("submit", (event) => event.preventDefault());
who.elements.find.addEventListener("input", () => {
  const wanted = who.elements.find.value.toLowerCase();
  for (const details of main.querySelectorAll("details")) {
    details.hidden = !details.dataset.words.includes(wanted);
  }
});
show(await (await fetch("/openapi.json")).json());
