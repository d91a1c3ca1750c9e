import type { Effective, EffectiveObject, EffectiveValue } from './effective.ts';
import { homeserverSchema } from './schema.ts';
import { shapeOf, type TakesEffect } from './schema-kit.ts';

/** A configuration as values by the path of their key, such as `partners[bolt.example].policy.files.direction`. */
export type FlatConfig = ReadonlyMap<string, EffectiveValue>;

/** A key that has another value. Absent ones are null, secrets are not shown. */
export interface ConfigChange {
  readonly key: string;
  readonly before: string | null;
  readonly after: string | null;
  readonly takesEffect: TakesEffect;
}

export interface ConfigComparison {
  /** Of partners that are in both only what differs; of others see below. */
  readonly changes: readonly ConfigChange[];
  readonly partners: {
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
  };
}

/** Every value by its path. Partners go by their names, so that their order says nothing. */
export function flatten(effective: EffectiveObject): FlatConfig {
  const flat = new Map<string, EffectiveValue>();
  walk(effective, '', flat);
  return flat;
}

function walk(node: Effective, path: string, flat: Map<string, EffectiveValue>): void {
  if (node.kind === 'value') flat.set(path, node);
  else if (node.kind === 'object')
    for (const [key, child] of node.entries) walk(child, path === '' ? key : `${path}.${key}`, flat);
  else
    for (const [index, item] of node.items.entries())
      walk(item, `${path}[${path === 'partners' ? nameOf(item) : index}]`, flat);
}

function nameOf(item: Effective): string {
  const name = item.kind === 'object' ? item.entries.get('server_name') : undefined;
  return name?.kind === 'value' ? String(name.value) : '';
}

/** What differs between the configuration in force and another. */
export function compareConfigs(running: FlatConfig, files: FlatConfig): ConfigComparison {
  const before = partnersIn(running);
  const after = partnersIn(files);
  const changes: ConfigChange[] = [];
  const changed = new Set<string>();
  for (const key of new Set([...running.keys(), ...files.keys()])) {
    const [old, next] = [running.get(key), files.get(key)];
    if (isSame(old, next)) continue;
    const partner = partnerOf(key);
    if (partner !== undefined) {
      if (!before.has(partner) || !after.has(partner)) continue;
      changed.add(partner);
    } else if (key === 'partners') continue;
    changes.push({
      key,
      before: shown(old),
      after: shown(next),
      takesEffect: effectOf(key, running, files),
    });
  }
  return {
    changes: changes.sort((one, other) => orderOf(one.key) - orderOf(other.key)),
    partners: {
      added: [...after].filter((name) => !before.has(name)),
      changed: [...changed],
      removed: [...before].filter((name) => !after.has(name)),
    },
  };
}

const topKeys = Object.keys(shapeOf(homeserverSchema).properties ?? {});

/** As the documentation has them. */
function orderOf(key: string): number {
  return topKeys.indexOf(/^[a-z_]+/.exec(key)?.[0] ?? '');
}

/** What is in force after a reload: of the keys that wait for a restart the value that runs. */
export function afterReloadFlat(running: FlatConfig, files: FlatConfig): FlatConfig {
  const flat = new Map<string, EffectiveValue>();
  for (const key of new Set([...running.keys(), ...files.keys()])) {
    const value = effectOf(key, running, files) === 'reload' ? files.get(key) : running.get(key);
    if (value !== undefined) flat.set(key, value);
  }
  return flat;
}

/** What is in force after the entry of a single partner was taken over. */
export function withPartnerOf(running: FlatConfig, files: FlatConfig, serverName: string): FlatConfig {
  const isOfIt = ([key]: [string, EffectiveValue]): boolean => partnerOf(key) === serverName;
  return new Map([...[...running].filter((entry) => !isOfIt(entry)), ...[...files].filter(isOfIt)]);
}

/** A certificate is taken over where a listener of that port has TLS on both sides; the rest of it is not. */
function effectOf(key: string, running: FlatConfig, files: FlatConfig): TakesEffect {
  const [, listener] = /^(listeners\[\d+\])/.exec(key) ?? [];
  if (listener !== undefined) {
    const port = `${listener}.port`;
    const isThere = running.has(key) && files.has(key);
    if (!isThere || running.get(port)?.value !== files.get(port)?.value) return 'restart';
  }
  return (files.get(key) ?? running.get(key))?.takesEffect ?? 'restart';
}

function isSame(old: EffectiveValue | undefined, next: EffectiveValue | undefined): boolean {
  if (old === undefined || next === undefined) return old === next;
  return JSON.stringify(old.value) === JSON.stringify(next.value) && old.content === next.content;
}

function shown(value: EffectiveValue | undefined): string | null {
  if (value === undefined) return null;
  return value.isSecret ? '(secret)' : JSON.stringify(value.value);
}

function partnersIn(flat: FlatConfig): Set<string> {
  const names = new Set<string>();
  for (const key of flat.keys()) {
    const name = partnerOf(key);
    if (name !== undefined) names.add(name);
  }
  return names;
}

/** A server name may hold brackets of its own (`[::1]:8448`), and is followed by one and the name of a key. */
function partnerOf(key: string): string | undefined {
  return /^partners\[(.+?)\]\.[a-z_]+(?:\.|$|\[)/.exec(key)?.[1];
}
