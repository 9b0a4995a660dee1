/** An OpenAPI 3.1 document to read from. */
export class Description {
  constructor(document) {
    this.document = document;
  }

  /** What a reference stands for; what stands beside the reference wins. */
  resolve(node) {
    if (!node.$ref) return node;
    const { $ref, ...beside } = node;
    const steps = $ref.slice(2).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    return { ...this.resolve(steps.reduce((inner, step) => inner[step], this.document)), ...beside };
  }

  /** The operations of a tag, each with its method and path. */
  operations(tag) {
    return Object.entries(this.document.paths)
      .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({
        ...operation, method, path,
        parameters: (operation.parameters ?? []).map((parameter) => this.resolve(parameter)),
      })))
      .filter((operation) => operation.tags.includes(tag));
  }

  /** A type in words, for example "integer, 1 to 1000, default 1000". */
  type(schema) {
    const resolved = this.resolve(schema);
    const { minimum, maximum, minLength, maxLength, maxItems, format } = resolved;
    let words;
    if (resolved.anyOf) {
      words = resolved.anyOf.map((choice) => this.type(choice)).join(" or ");
    } else if (resolved.enum) {
      words = resolved.enum.map((value) => JSON.stringify(value)).join(" or ");
    } else if ("const" in resolved) {
      words = JSON.stringify(resolved.const);
    } else {
      words = [resolved.type ?? "object"].flat()
        .map((type) => type === "array" ? `array of ${this.type(resolved.items)}` : type).join(" or ");
    }
    const limits = [
      words,
      format === "date-time" && "date and time",
      minimum !== undefined && maximum !== undefined && `${minimum} to ${maximum}`,
      minimum !== undefined && maximum === undefined && `at least ${minimum}`,
      minLength !== undefined && `at least ${minLength} characters`,
      maxLength !== undefined && `at most ${maxLength} characters`,
      maxItems !== undefined && `at most ${maxItems} elements`,
      "default" in resolved && `default ${JSON.stringify(resolved.default)}`,
    ];
    return limits.filter(Boolean).join(", ");
  }

  /** The fields of an object and of the objects in it, for example "operator_weights[].weight". */
  fields(schema, prefix = "") {
    const resolved = this.resolve(schema);
    const parts = resolved.allOf ?? resolved.anyOf ?? [];
    if (resolved.items) return this.fields(resolved.items, `${prefix}[]`);
    return [
      ...parts.flatMap((part) => this.fields(part, prefix)),
      ...Object.entries(resolved.properties ?? {}).flatMap(([name, property]) => {
        const path = prefix ? `${prefix}.${name}` : name;
        const { description } = this.resolve(property);
        const field = { name: path, schema: property, description, required: resolved.required?.includes(name) };
        return [field, ...this.fields(property, path)];
      }),
    ];
  }
}
