import { stringify } from 'yaml';
import type { Effective, EffectiveObject } from './effective.ts';

interface Line {
  readonly text: string;
  /** Where the value comes from; none for a line that only opens a part. */
  readonly source: string;
}

const secretText = '(secret)';
const widest = 60;

/**
 * A configuration as YAML, each value with its source as a comment. Secrets are not shown. What is a default is left out
 * unless asked for.
 */
export function renderConfig(effective: EffectiveObject, options: { readonly defaults: boolean }): string {
  const lines = objectLines(options.defaults ? effective : withoutDefaults(effective), '');
  const width = Math.min(widest, Math.max(0, ...lines.map(({ text }) => text.length)));
  return lines
    .map(({ text, source }) => (source === '' ? text : `${text.padEnd(width)}  # ${source}`))
    .map((line) => `${line}\n`)
    .join('');
}

function withoutDefaults(effective: EffectiveObject): EffectiveObject {
  return { kind: 'object', entries: new Map([...effective.entries].flatMap(keptEntry)) };
}

function keptEntry([key, value]: [string, Effective]): [string, Effective][] {
  const kept = keep(value);
  return kept === undefined ? [] : [[key, kept]];
}

function keep(value: Effective): Effective | undefined {
  if (value.kind === 'value') return value.source === 'default' ? undefined : value;
  if (value.kind === 'object') {
    const entries = new Map([...value.entries].flatMap(keptEntry));
    return entries.size === 0 ? undefined : { kind: 'object', entries };
  }
  const items = value.items.map(keep).filter((item) => item !== undefined);
  return items.length === 0 ? undefined : { kind: 'list', items };
}

function objectLines({ entries }: EffectiveObject, indent: string): Line[] {
  return [...entries].flatMap(([key, value]) => {
    const head = `${indent}${inline(key)}:`;
    if (value.kind === 'value')
      return [{ text: `${head} ${value.isSecret ? secretText : inline(value.value)}`, source: value.source }];
    if (value.kind === 'object') return [{ text: head, source: '' }, ...objectLines(value, `${indent}  `)];
    return [{ text: head, source: '' }, ...value.items.flatMap((item) => itemLines(item, `${indent}  `))];
  });
}

/** An entry of a list: its first line begins with the dash. */
function itemLines(item: Effective, indent: string): Line[] {
  if (item.kind === 'value') return [{ text: `${indent}- ${inline(item.value)}`, source: item.source }];
  const lines =
    item.kind === 'object'
      ? objectLines(item, `${indent}  `)
      : item.items.flatMap((inner) => itemLines(inner, `${indent}  `));
  return lines.map((line, index) =>
    index === 0 ? { ...line, text: `${indent}- ${line.text.slice(indent.length + 2)}` } : line,
  );
}

/** A value on one line, quoted where YAML would take it for something else. */
function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim();
}
