import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkout, root } from './checkout.ts';
import type { Machine } from './machine.ts';

export type Cell = string | number;

/** What one part of the suite found. */
export interface Report {
  readonly name: string;
  /** What was done, in a sentence. */
  readonly about: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** What has to hold, and whether it does. */
  readonly requirements: readonly { readonly what: string; readonly holds: boolean }[];
  /** Every single measurement. */
  readonly measurements: unknown;
}

export function printReport(report: Report, write: (text: string) => void): void {
  write(`\n${report.name}: ${report.about}\n\n`);
  const rows = [report.columns, ...report.rows].map((row) => row.map(shown));
  const widths = report.columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const isText = report.columns.map((_, column) =>
    report.rows.every((row) => typeof row[column] === 'string'),
  );
  for (const [index, row] of rows.entries()) {
    const cells = row.map((cell, column) =>
      isText[column] ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    write(`  ${cells.join('  ').trimEnd()}\n`);
    if (index === 0) write(`  ${widths.map((width) => '-'.repeat(width)).join('  ')}\n`);
  }
  if (report.requirements.length > 0) write('\n');
  for (const { what, holds } of report.requirements) write(`  ${holds ? 'holds' : 'FAILS'}: ${what}\n`);
}

/** Thousands without a fraction, small numbers with two digits. */
function shown(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (Number.isNaN(cell)) return '-';
  return cell >= 100 ? Math.round(cell).toLocaleString('en') : cell.toFixed(cell >= 10 ? 1 : 2);
}

/** Writes all of it as JSON, with the machine; gives the path. */
export async function writeResults(
  machine: Machine,
  checkouts: readonly Checkout[],
  reports: readonly Report[],
): Promise<string> {
  const directory = join(root, 'bench', 'results');
  await mkdir(directory, { recursive: true });
  const at = new Date().toISOString();
  const path = join(directory, `${at.replaceAll(':', '-').slice(0, 19)}.json`);
  const revisions = checkouts.map(({ name, revision }) => ({ name, revision }));
  await writeFile(path, `${JSON.stringify({ at, machine, revisions, reports }, undefined, 2)}\n`);
  return path;
}
