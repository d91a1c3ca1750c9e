import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A compiled tree of the product whose islands are measured. */
export interface Checkout {
  readonly name: string;
  readonly root: string;
  readonly revision: string;
}

/** The repository that these benchmarks are part of. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Throws for a folder that has not been built. */
export function checkoutAt(directory: string, name = basename(resolve(directory))): Checkout {
  const path = resolve(directory);
  if (!existsSync(join(path, 'dist'))) throw new Error(`${path} is not built: run "npm run build" there`);
  return { name, root: path, revision: revisionOf(path) };
}

function revisionOf(path: string): string {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', path, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
    return `${git('rev-parse', '--short', 'HEAD')}${changed}`;
  } catch {
    return 'unknown';
  }
}

/** Compiles the floor program, so that it runs as the product does: as plain JavaScript. Gives its path. */
export function buildFloor(): string {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const project = join(root, 'bench', 'tsconfig.json');
  const { status } = spawnSync(process.execPath, [join(typescript, 'bin/tsc'), '-p', project], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('The floor program does not compile');
  return join(root, 'bench', 'build', 'bench', 'floor.js');
}
