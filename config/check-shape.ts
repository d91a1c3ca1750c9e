import type { TSchema } from 'typebox';
import { isAlias, isMap, isPair, isScalar, isSeq, type Node, type Scalar } from 'yaml';
import { didYouMean, objectionTo } from './kinds.ts';
import type { Problem } from './problem.ts';
import { type Shape, shapeOf } from './schema-kit.ts';
import { startOf, type YamlFile } from './yaml-file.ts';

/**
 * Compares a file with the schema and gives its value, keys without a value left out. Every mistake becomes a
 * problem at its place; the value is complete and true to the schema only if there is none. Keys that the top
 * must have may stand in another file and are not asked for here.
 */
export function checkShape(file: YamlFile, schema: TSchema, problems: Problem[]): Record<string, unknown> {
  const { root } = file;
  if (root === undefined || (isScalar(root) && root.value === null)) return {};
  const { required: _, ...shape } = shapeOf(schema);
  const value = new Checker(file, problems).check(root, shape, '');
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

class Checker {
  readonly #file: YamlFile;
  readonly #problems: Problem[];

  constructor(file: YamlFile, problems: Problem[]) {
    this.#file = file;
    this.#problems = problems;
  }

  check(node: Node, shape: Shape, path: string): unknown {
    if (shape.type === 'object') return this.#object(node, shape, path);
    if (shape.type === 'array') return this.#array(node, shape, path);
    return this.#scalar(node, shape, path);
  }

  #report(node: Node, message: string, suggestion?: string): undefined {
    this.#problems.push(this.#file.problem(startOf(node), message, suggestion));
    return undefined;
  }

  #object(node: Node, shape: Shape, path: string): Record<string, unknown> | undefined {
    if (!isMap(node))
      return this.#report(
        node,
        `${path === '' ? 'the file' : path} must consist of keys with values (key: value)`,
      );
    const value: Record<string, unknown> = {};
    for (const pair of node.items) {
      if (!isPair(pair) || !isScalar(pair.key)) continue;
      const key = String(pair.key.value);
      const inner = path === '' ? key : `${path}.${key}`;
      const child = this.#shapeOf(pair.key, key, shape, path);
      const content = this.#file.resolve(pair.value);
      if (child === undefined || this.#isLost(pair.value, content)) continue;
      if (content === undefined || (isScalar(content) && content.value === null)) {
        if (shape.required?.includes(key) || shape.patternProperties !== undefined)
          this.#report(pair.key, `${inner} has no value`);
        continue;
      }
      value[key] = this.check(content, child, inner);
    }
    const given = node.items.flatMap((pair) => (isScalar(pair.key) ? [pair.key.value] : []));
    for (const key of shape.required ?? [])
      if (!given.includes(key)) this.#report(node, `${path}: the key "${key}" is missing`);
    if (node.items.length < (shape.minProperties ?? 0))
      this.#report(node, `${path} must not be empty`, `give at least one ${shape.keyForm ?? 'key'}`);
    return value;
  }

  /** An alias that stands for nothing: reported. */
  #isLost(written: unknown, content: Node | undefined): boolean {
    if (!isAlias(written) || content !== undefined) return false;
    this.#report(
      written,
      `nothing in this file is named &${written.source}`,
      'if this is text, put it in quotes',
    );
    return true;
  }

  #shapeOf(keyNode: Scalar, key: string, shape: Shape, path: string): Shape | undefined {
    const records = Object.entries(shape.patternProperties ?? {});
    for (const [pattern, child] of records) if (new RegExp(pattern).test(key)) return child;
    if (records.length > 0)
      return this.#report(keyNode, `${path} has keys of the form ${shape.keyForm}, and this is "${key}"`);
    const known = Object.keys(shape.properties ?? {});
    const child = known.includes(key) ? shape.properties?.[key] : undefined;
    if (child !== undefined) return child;
    const others = path === '' ? undefined : `known here: ${known.join(', ')}`;
    return this.#report(keyNode, `unknown key "${key}"`, didYouMean(key, known) ?? others);
  }

  #array(node: Node, shape: Shape, path: string): unknown[] | undefined {
    if (!isSeq(node) || shape.items === undefined) {
      const isPlain = isScalar(node) && shape.items?.type !== 'object';
      const suggestion = isPlain ? `write [${node.source ?? ''}]` : 'begin each entry with "- "';
      return this.#report(node, `${path} must be a list`, suggestion);
    }
    if (node.items.length < (shape.minItems ?? 0)) this.#report(node, `${path} must not be empty`);
    if (node.items.length > (shape.maxItems ?? Number.POSITIVE_INFINITY))
      this.#report(node, `${path} ${shape.tooMany ?? `may have ${shape.maxItems} entries at most`}`);
    const values: unknown[] = [];
    for (const [index, item] of node.items.entries()) {
      const content = this.#file.resolve(item);
      if (!this.#isLost(item, content) && content !== undefined)
        values.push(this.check(content, shape.items, `${path}[${index}]`));
    }
    return values;
  }

  #scalar(node: Node, shape: Shape, path: string): unknown {
    if (!isScalar(node)) return this.#report(node, `${path} must be a single value`);
    const { value } = node;
    if (shape.enum !== undefined) return this.#choice(node, shape.enum, path, shape.notYet);
    if (shape.type === 'boolean') {
      if (typeof value === 'boolean') return value;
      const meant = /^(yes|on|true|1)$/i.test(String(value)) ? 'true' : 'false';
      const isWord = /^(yes|no|on|off|true|false|0|1)$/i.test(String(value));
      return this.#report(
        node,
        `${path} must be true or false, and is ${shown(node)}`,
        isWord ? `write ${meant}` : undefined,
      );
    }
    if (shape.type === 'integer') return this.#integer(node, shape, path);
    // Sizes are numbers as often as texts.
    const text = shape.kind === 'size' && typeof value === 'number' ? (node.source ?? String(value)) : value;
    if (typeof text !== 'string')
      return this.#report(
        node,
        shape.kind === 'secret' ? `${path} must be text` : `${path} must be text, and is ${shown(node)}`,
        shape.kind === 'secret' ? 'write it in quotes' : `write it in quotes: "${node.source ?? ''}"`,
      );
    const objection = shape.kind === undefined ? undefined : objectionTo(shape.kind, text);
    if (objection !== undefined) this.#report(node, `${path} ${objection.message}`, objection.suggestion);
    return text;
  }

  #integer(node: Scalar, { minimum, maximum }: Shape, path: string): unknown {
    const { value } = node;
    const isFine =
      typeof value === 'number' &&
      Number.isSafeInteger(value) &&
      value >= (minimum ?? Number.MIN_SAFE_INTEGER) &&
      value <= (maximum ?? Number.MAX_SAFE_INTEGER);
    if (isFine) return value;
    const suggestion =
      typeof value === 'string' && /^\d+$/.test(value) ? 'write it without quotes' : undefined;
    return this.#report(
      node,
      `${path} must be a whole number from ${minimum} to ${maximum}, and is ${shown(node)}`,
      suggestion,
    );
  }

  #choice(node: Scalar, allowed: readonly string[], path: string, notYet: Shape['notYet'] = {}): unknown {
    const { value } = node;
    if (typeof value === 'string' && allowed.includes(value)) return value;
    const must = allowed.length === 1 ? `must be ${allowed[0]}` : `must be one of ${allowed.join(', ')}`;
    const later = typeof value === 'string' && Object.hasOwn(notYet, value) ? notYet[value] : undefined;
    return this.#report(
      node,
      `${path} ${must}, and is ${shown(node)}`,
      later ?? (typeof value === 'string' ? didYouMean(value, allowed) : undefined),
    );
  }
}

function shown({ value, source }: Scalar): string {
  return typeof value === 'string' ? JSON.stringify(value) : (source ?? String(value));
}
