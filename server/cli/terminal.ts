import { relative, resolve } from 'node:path';

/** What a command is for: standard output, which other programs may read. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What only people read: standard error. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A path as short as it can be written from here. */
export function shownPath(path: string): string {
  const seen = relative(process.cwd(), resolve(path));
  return seen === '' ? '.' : seen.startsWith('..') ? resolve(path) : seen;
}

/** A command line of this program that can be pasted into the shell it was started from. */
export function commandLine(...words: string[]): string {
  const program = process.argv[1];
  return [program === undefined ? 'archipelago' : shownPath(program), ...words].map(shellWord).join(' ');
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `1 partner`, `2 partners`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Columns for people. What others chose (names) cannot steer the terminal. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows].map((row) => row.map(plain));
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A text on one line, without characters that control a terminal. */
export function plain(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}

/** That files were changed which nobody reloaded: they are not in force. */
export function notePending(keys: readonly string[]): void {
  if (keys.length === 0) return;
  const some = keys.slice(0, 3).join(', ');
  const rest = keys.length > 3 ? ` and ${keys.length - 3} more` : '';
  note(
    `note: the files say something else too that is not in force yet: ${some}${rest} (archipelago reload)`,
  );
}
