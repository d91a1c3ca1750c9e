import { cpus, loadavg, release, totalmem, type } from 'node:os';
import Database from 'better-sqlite3';
import { rounded } from './statistics.ts';

/** What a figure depends on beside the program. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly sqlite: string;
  /** Processes that wanted to run in the last minute: above 1 when measuring begins, somebody else works here too. */
  readonly loadAverage: number;
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
    loadAverage: rounded(loadavg()[0] ?? Number.NaN),
  };
}

export function machineLine(machine: Machine): string {
  const { cores, cpu, memoryGiB, kernel, node, sqlite, loadAverage } = machine;
  return `${cores} cores (${cpu}), ${memoryGiB} GiB, ${kernel}, Node ${node}, SQLite ${sqlite}, load ${loadAverage}`;
}
