import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config.ts';
import type { Draft, PartnerDraft } from './draft.ts';
import { homeserverSchema } from './schema.ts';
import { type Shape, shapeOf, type TakesEffect } from './schema-kit.ts';
import type { YamlFile } from './yaml-file.ts';

/** One value that is in force, as it would be written. */
export interface EffectiveValue {
  readonly kind: 'value';
  readonly value: unknown;
  readonly isSecret: boolean;
  /** `FILE:LINE` as seen from the main file, or `default`. */
  readonly source: string;
  readonly takesEffect: TakesEffect;
  /** What the file holds that the value names, if it was read with the configuration. */
  readonly content?: string | undefined;
}

export type Effective =
  | EffectiveValue
  | { readonly kind: 'object'; readonly entries: ReadonlyMap<string, Effective> }
  | { readonly kind: 'list'; readonly items: readonly Effective[] };

export type EffectiveObject = Extract<Effective, { kind: 'object' }>;

/** A place where a value may stand; without a file it is a default. */
interface Layer {
  readonly value: unknown;
  readonly file: YamlFile | undefined;
  readonly path: readonly (string | number)[];
}

/** Everything that is in force: each key that is set or has a default, with where it comes from. */
export function effectiveOf(draft: Draft, config: Config): EffectiveObject {
  return new Builder(draft, contentsOf(config)).whole();
}

/** What was read from files that keys name, by the path of the key. */
function contentsOf(config: Config): ReadonlyMap<string, string> {
  const contents = new Map<string, string>();
  const { database, registrationSharedSecret, listeners } = config;
  if (registrationSharedSecret !== undefined)
    contents.set('registration_shared_secret_path', registrationSharedSecret);
  if (database.type === 'postgres') contents.set('database.url_path', database.url);
  for (const [index, { tls }] of listeners.entries()) {
    if (tls === undefined) continue;
    contents.set(`listeners[${index}].tls.certificate_path`, tls.certificate);
    contents.set(`listeners[${index}].tls.private_key_path`, tls.privateKey);
  }
  return contents;
}

class Builder {
  readonly #draft: Draft;
  readonly #contents: ReadonlyMap<string, string>;

  constructor(draft: Draft, contents: ReadonlyMap<string, string>) {
    this.#draft = draft;
    this.#contents = contents;
  }

  whole(): EffectiveObject {
    const entries = new Map<string, Effective>();
    const raw: Readonly<Record<string, unknown>> = this.#draft.raw;
    for (const [key, shape] of Object.entries(shapeOf(homeserverSchema).properties ?? {})) {
      const takesEffect = shape.takesEffect ?? 'restart';
      const layers = this.#draft.has(key)
        ? [{ value: raw[key], file: this.#draft.fileOf(key), path: [key] }]
        : [];
      const value =
        key === 'partners'
          ? this.#partners(shape, takesEffect)
          : this.#build(shape, layers, takesEffect, key);
      if (value !== undefined) entries.set(key, value);
    }
    return { kind: 'object', entries };
  }

  #partners(shape: Shape, takesEffect: TakesEffect): Effective | undefined {
    const { partners } = this.#draft;
    if (partners.length === 0) return this.#build(shape, [], takesEffect, 'partners');
    const items = partners.map((partner) =>
      this.#build(shape.items ?? {}, [layerOf(partner), ...this.#defaults()], takesEffect, 'partners'),
    );
    return { kind: 'list', items: items.filter((item) => item !== undefined) };
  }

  #defaults(): Layer[] {
    const value = this.#draft.raw.partner_defaults;
    if (value === undefined) return [];
    return [{ value, file: this.#draft.fileOf('partner_defaults'), path: ['partner_defaults'] }];
  }

  /** The first layer rules that says something; objects are put together key by key. */
  #build(shape: Shape, layers: readonly Layer[], above: TakesEffect, path: string): Effective | undefined {
    const takesEffect = shape.takesEffect ?? above;
    const given = layers.filter(({ value }) => value !== undefined);
    const [top] = given.length === 0 ? defaultLayers(shape) : given;
    if (shape.type === 'object') {
      if (top === undefined && !mayFill(shape)) return undefined;
      const isOne = shape.whole === true || given.length === 0;
      return this.#object(shape, isOne && top !== undefined ? [top] : given, takesEffect, path);
    }
    if (top === undefined) return undefined;
    if (shape.type === 'array' && shape.items?.type === 'object') {
      const list = Array.isArray(top.value) ? top.value : [];
      if (list.length > 0) return this.#list(shape.items, list, top, takesEffect, path);
    }
    return this.#value(shape, top, takesEffect, path);
  }

  #object(
    shape: Shape,
    layers: readonly Layer[],
    takesEffect: TakesEffect,
    path: string,
  ): Effective | undefined {
    const entries = new Map<string, Effective>();
    for (const [key, child] of this.#children(shape, layers)) {
      const inner = layers.map((layer) => below(layer, key));
      if (inner.every(({ value }) => value === undefined) && !isMeant(child, entries)) continue;
      const value = this.#build(child, inner, takesEffect, path === '' ? key : `${path}.${key}`);
      if (value !== undefined) entries.set(key, value);
    }
    return entries.size === 0 ? undefined : { kind: 'object', entries };
  }

  #children(shape: Shape, layers: readonly Layer[]): [string, Shape][] {
    const [record] = Object.values(shape.patternProperties ?? {});
    if (record === undefined) return Object.entries(shape.properties ?? {});
    const keys = layers.flatMap(({ value }) => (isRecord(value) ? Object.keys(value) : []));
    return [...new Set(keys)].map((key) => [key, record]);
  }

  #list(
    item: Shape,
    list: readonly unknown[],
    { file, path: at }: Layer,
    takesEffect: TakesEffect,
    path: string,
  ): Effective {
    const items = list.map((value, index) =>
      this.#build(item, [{ value, file, path: [...at, index] }], takesEffect, `${path}[${index}]`),
    );
    return { kind: 'list', items: items.filter((found) => found !== undefined) };
  }

  #value(
    shape: Shape,
    { value, file, path: at }: Layer,
    takesEffect: TakesEffect,
    path: string,
  ): EffectiveValue {
    const origin = file ?? this.#draft.fileOf('server_name');
    const isPath = shape.kind === 'path' && typeof value === 'string';
    const content = this.#contents.get(path);
    return {
      kind: 'value',
      value: isPath ? this.#draft.pathIn(file ?? this.#draft.main, value) : value,
      isSecret: shape.kind === 'secret',
      source: file === undefined ? 'default' : this.#draft.ruleAt(origin, origin.keyOffset(at)),
      takesEffect,
      ...(content === undefined ? {} : { content }),
    };
  }
}

function layerOf({ raw, file, path }: PartnerDraft): Layer {
  return { value: raw, file, path };
}

function defaultLayers(shape: Shape): Layer[] {
  return shape.default === undefined ? [] : [{ value: shape.default, file: undefined, path: [] }];
}

/** Whether an object that nobody wrote has defaults inside that hold: not where it would need keys of its own. */
function mayFill(shape: Shape): boolean {
  return (shape.required ?? []).length === 0 && shape.byDefault === undefined;
}

/** Whether the default of a key is one beside the values that stand before it. */
function isMeant({ onlyWith = {} }: Shape, entries: ReadonlyMap<string, Effective>): boolean {
  return Object.entries(onlyWith).every(([key, wanted]) => {
    const other = entries.get(key);
    return other?.kind === 'value' && isDeepStrictEqual(other.value, wanted);
  });
}

function below({ value, file, path }: Layer, key: string): Layer {
  const inner = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return { value: inner, file, path: [...path, key] };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
