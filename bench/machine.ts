import { cpus, release, totalmem, type } from 'node:os';
import Database from 'better-sqlite3';

/** What a figure depends on beside the program. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly sqlite: string;
}

export function describeMachine(): Machine {
  const memory = new Database(':memory:');
  const row = memory.prepare<[], { version: string }>('SELECT sqlite_version() AS version').get();
  memory.close();
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.version,
    sqlite: row?.version ?? 'unknown',
  };
}
