import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Which folders each folder may import, beside itself: the table of docs/ARCHITECTURE.md. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  policy: ['protocol'],
  config: ['protocol', 'policy'],
  storage: ['protocol', 'config'],
  rooms: ['protocol', 'policy', 'storage'],
  http: ['protocol'],
  federation: ['protocol', 'policy', 'config', 'storage', 'rooms', 'http'],
  server: ['protocol', 'policy', 'config', 'storage', 'rooms', 'http', 'federation'],
};

/** Packages and built-in modules that belong to one folder; whoever else wants them goes through it. */
const keptTo: Readonly<Record<string, readonly string[]>> = {
  typeorm: ['storage'],
  'better-sqlite3': ['storage'],
  pg: ['storage'],
  koa: ['http', 'server'],
  '@koa/router': ['http'],
  ws: ['federation'],
  '@node-rs/argon2': ['server'],
  commander: ['server'],
};

/** Pure folders: no I/O, no clock, no randomness. */
const pure: Readonly<Record<string, readonly string[]>> = {
  protocol: ['node:crypto', 'tweetnacl'],
  policy: ['typebox'],
};

interface SourceFile {
  /** From the root, as `rooms/send.ts`. */
  readonly path: string;
  readonly folder: string;
  readonly imports: readonly string[];
}

describe('The architecture', () => {
  const files = Object.keys(mayImport).flatMap((folder) => sourcesIn(folder));
  const known = new Set(files.map(({ path }) => path));

  it('is looked at: every folder has sources, every relative import a file', () => {
    for (const folder of Object.keys(mayImport))
      assert.ok(
        files.some((file) => file.folder === folder),
        `${folder} has no sources`,
      );
    const lost = edges(files).filter(([, to]) => !known.has(to) && !to.startsWith('package'));
    assert.deepEqual(lost, []);
  });

  it('has imports in the allowed directions only', () => {
    const wrong = edges(files).filter(([from, to]) => {
      const [here = '', there = ''] = [from.split('/')[0], to.split('/')[0]];
      return here !== there && !to.startsWith('package') && !mayImport[here]?.includes(there);
    });
    assert.deepEqual(wrong, []);
  });

  it('has no cycle of imports', () => {
    assert.deepEqual(findCycle(new Map(files.map(({ path }) => [path, targetsOf(path, files)]))), []);
  });

  it('keeps each package to the folder that is responsible for it', () => {
    const wrong = files.flatMap(({ path, folder, imports }) =>
      imports
        .filter((name) => keptTo[packageOf(name)]?.includes(folder) === false)
        .map((name) => `${path} imports ${name}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('keeps the pure folders pure', () => {
    const wrong = files.flatMap(({ path, folder, imports }) =>
      imports
        .filter((name) => !name.startsWith('.') && pure[folder]?.includes(packageOf(name)) === false)
        .map((name) => `${path} imports ${name}`),
    );
    assert.deepEqual(wrong, []);
    const impure = files
      .filter(({ folder }) => folder in pure)
      .filter(({ path }) =>
        /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bsetTimeout\(|\brandomBytes\(|\bprocess\./.test(
          readFileSync(join(root, path), 'utf8'),
        ),
      );
    assert.deepEqual(
      impure.map(({ path }) => path),
      [],
    );
  });

  it('writes SQL in storage only', () => {
    const sql = /\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\b[^'"`]*\b(FROM|VALUES|SET|WHERE)\b/;
    const wrong = files.filter(
      ({ path, folder }) => folder !== 'storage' && sql.test(readFileSync(join(root, path), 'utf8')),
    );
    assert.deepEqual(
      wrong.map(({ path }) => path),
      [],
    );
  });

  it('would be seen to be wrong: a cycle, and a wrong direction', () => {
    const cycle = findCycle(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['a']],
      ]),
    );
    assert.deepEqual(cycle, ['a', 'b', 'c', 'a']);
    assert.deepEqual(
      importsIn(`import { x } from '../server/x.ts';\nexport * from "./y.ts";\nimport './z.ts';`),
      ['../server/x.ts', './y.ts', './z.ts'],
    );
    assert.deepEqual(importsIn(`const lazy = await import('pg');\nimport type {\n  A,\n} from 'koa';`), [
      'pg',
      'koa',
    ]);
  });
});

function sourcesIn(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = relative(root, join(root, folder, name)).replaceAll('\\', '/');
      return { path, folder, imports: importsIn(readFileSync(join(root, path), 'utf8')) };
    });
}

/** What a text imports, statically or dynamically, types included. */
function importsIn(text: string): string[] {
  const forms =
    /(?:^|\n)(?:import|export)\s+(?:[^'";]*?\bfrom\s+)?['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;
  return [...text.matchAll(forms)].map((match) => match[1] ?? match[2] ?? '');
}

/** Pairs of importing and imported file; what is no file of the project's folders is named `package`. */
function edges(files: readonly SourceFile[]): [string, string][] {
  return files.flatMap(({ path, imports }) =>
    imports.map((name): [string, string] => [
      path,
      name.startsWith('.') ? join(dirname(path), name).replaceAll('\\', '/') : `package ${name}`,
    ]),
  );
}

function targetsOf(path: string, files: readonly SourceFile[]): string[] {
  return edges(files.filter((file) => file.path === path))
    .map(([, to]) => to)
    .filter((to) => !to.startsWith('package'));
}

function packageOf(name: string): string {
  if (name.startsWith('node:')) return name;
  const [scope = '', rest = ''] = name.split('/');
  return scope.startsWith('@') ? `${scope}/${rest}` : scope;
}

/** The first cycle that a walk meets, its start repeated at the end; empty if there is none. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const walk = (node: string, trail: readonly string[]): string[] => {
    const at = trail.indexOf(node);
    if (at >= 0) return [...trail.slice(at), node];
    if (done.has(node)) return [];
    for (const next of graph.get(node) ?? []) {
      const found = walk(next, [...trail, node]);
      if (found.length > 0) return found;
    }
    done.add(node);
    return [];
  };
  for (const node of graph.keys()) {
    const found = walk(node, []);
    if (found.length > 0) return found;
  }
  return [];
}
