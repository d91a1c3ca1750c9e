import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folders = ['protocol', 'policy', 'config', 'storage', 'rooms', 'http', 'federation', 'server'];
const entry = 'tests/slow/support/island-main.ts';

/** A change of the product's source that must make a suite fail. */
export interface Mutation {
  /** Path from the repository's root. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly text: string;
  readonly replacement: string;
}

/** The product compiled into a temporary folder, with the entry of a process that the fault suites can kill. */
export class ProductCopy {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async make(mutations: readonly Mutation[] = []): Promise<ProductCopy> {
    const copy = new ProductCopy(await mkdtemp(join(tmpdir(), 'archipelago-product-')));
    await copy.#compile(mutations);
    return copy;
  }

  /** What a killable process runs. */
  get entry(): string {
    return join(this.#directory, 'dist', entry.replace(/\.ts$/, '.js'));
  }

  remove(): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true });
  }

  async #compile(mutations: readonly Mutation[]): Promise<void> {
    const place = (path: string): string => join(this.#directory, path);
    for (const folder of folders) await cp(join(root, folder), place(folder), { recursive: true });
    await cp(join(root, 'package.json'), place('package.json'));
    await mkdir(dirname(place(entry)), { recursive: true });
    await cp(join(root, entry), place(entry));
    await symlink(join(root, 'node_modules'), place('node_modules'));
    for (const { file, text, replacement } of mutations) {
      const [before, after, ...more] = (await readFile(place(file), 'utf8')).split(text);
      assert.ok(
        before !== undefined && after !== undefined && more.length === 0,
        `what a mutation replaces has to stand exactly once in ${file}: ${text}`,
      );
      await writeFile(place(file), before + replacement + after);
    }
    const build = join(root, 'scripts', 'build.mjs');
    await promisify(execFile)(process.execPath, [build, '--root', this.#directory, entry]).catch(
      (error: unknown) => {
        const output = error instanceof Error && 'stderr' in error ? error.stderr : error;
        throw new Error(`the copy of the product does not compile:\n${output}`);
      },
    );
  }
}
