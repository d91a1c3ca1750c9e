import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds of the monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** One function on a stack. */
export interface Frame {
  readonly name: string;
  /** Path of a source of the product from its root, name of a package, or `node:…`. */
  readonly file: string;
}

/**
 * Adds up the samples of a V8 profile between two moments of the monotonic clock (microseconds), by the part that
 * `partOf` gives for a stack, innermost function first. Idle time is left out. Gives microseconds.
 */
export function timeByPart(
  path: string,
  root: string,
  between: readonly [number, number],
  partOf: (stack: readonly Frame[]) => string,
): Map<string, number> {
  const profile = JSON.parse(readFileSync(path, 'utf8')) as Profile;
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])),
  );
  const sources = new Sources(root);
  const parts = new Map<number, string>();
  const partOfNode = (id: number): string => {
    const stack: Frame[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = nodes.get(at);
      if (node !== undefined) stack.push(sources.frame(node.callFrame));
    }
    return partOf(stack);
  };
  const times = new Map<string, number>();
  let now = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const took = profile.timeDeltas[index] ?? 0;
    now += took;
    if (now < between[0] || now > between[1] || nodes.get(id)?.callFrame.functionName === '(idle)') continue;
    const part = parts.get(id) ?? partOfNode(id);
    parts.set(id, part);
    times.set(part, (times.get(part) ?? 0) + took);
  }
  return times;
}

/** Finds the sources behind compiled files. */
class Sources {
  readonly #root: string;
  readonly #maps = new Map<string, SourceMap | undefined>();

  constructor(root: string) {
    this.#root = root;
  }

  frame({ functionName, url, lineNumber, columnNumber }: ProfileNode['callFrame']): Frame {
    const name = functionName;
    if (!url.startsWith('file:') && !url.startsWith('/')) return { name, file: url };
    const path = url.startsWith('file:') ? fileURLToPath(url) : url;
    const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
    if (dependency !== undefined) return { name, file: dependency };
    const entry = this.#map(path)?.findEntry(lineNumber, columnNumber);
    const source = entry !== undefined && 'originalSource' in entry ? entry.originalSource : undefined;
    if (source === undefined)
      return { name, file: relative(this.#root, path).replace(/^bench\/build\//, '') };
    return { name, file: source.replace(/^(?:file:\/\/.*?)?(?:\.\.\/)*/, '') };
  }

  #map(path: string): SourceMap | undefined {
    const known = this.#maps.get(path);
    if (known !== undefined || this.#maps.has(path)) return known;
    const map = existsSync(`${path}.map`)
      ? new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')))
      : undefined;
    this.#maps.set(path, map);
    return map;
  }
}
