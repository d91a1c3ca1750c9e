import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { type LoadedConfig, type LoadedFiles, type LoadOptions, loadConfig } from '../../config/load.ts';
import { formatProblem } from '../../config/problem.ts';
import { temporaryFolder } from '../support/folder.ts';

/** The public key of nobody. */
export const verifyKey = 'Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw';

/** An entry of a partner that has nothing wrong; it begins a list. */
export function partnerEntry(serverName: string): string {
  return `  - server_name: ${serverName}\n    verify_keys: {"ed25519:a1": {key: ${verifyKey}}}\n`;
}

/** A folder with a `homeserver.yaml` and files beside it. */
export class ConfigFolder {
  readonly directory = temporaryFolder();
  readonly file = join(this.directory, 'homeserver.yaml');

  constructor(main: string | Buffer, others: Readonly<Record<string, string>> = {}) {
    this.write('homeserver.yaml', main);
    for (const [name, text] of Object.entries(others)) this.write(name, text);
  }

  write(name: string, text: string | Buffer, mode = 0o600): string {
    const path = join(this.directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  load(options: LoadOptions = {}): Promise<LoadedConfig> {
    return loadConfig(this.file, options);
  }

  /** What it was read as; fails if it has mistakes. */
  async config(options: LoadOptions = {}): Promise<Config> {
    return (await this.files(options)).config;
  }

  /** The same, with where each value stands. */
  async files(options: LoadOptions = {}): Promise<LoadedFiles> {
    const loaded = await this.load(options);
    assert.ok(loaded.ok, loaded.ok ? '' : JSON.stringify(loaded.problems));
    return loaded;
  }

  /** Every mistake as one line, as an admin reads it; the folder's own path stands as DIR. */
  async mistakes(options: LoadOptions = {}): Promise<string[]> {
    const loaded = await this.load(options);
    return this.#lines(loaded.ok ? [] : loaded.problems);
  }

  async warnings(options: LoadOptions = {}): Promise<string[]> {
    const loaded = await this.load(options);
    assert.ok(loaded.ok);
    return this.#lines(loaded.warnings);
  }

  #lines(problems: readonly Parameters<typeof formatProblem>[0][]): string[] {
    return problems.map((problem) =>
      formatProblem(problem, this.directory).replaceAll(this.directory, 'DIR'),
    );
  }
}
