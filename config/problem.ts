import { relative } from 'node:path';

/** A mistake in the configuration, and where. */
export interface Problem {
  /** Absolute path. */
  readonly file: string;
  /** Line and column count from 1. */
  readonly line: number;
  readonly column: number;
  /** What is wrong, without a full stop. */
  readonly message: string;
  /** What to do, or what was probably meant. */
  readonly suggestion?: string | undefined;
}

/** A problem with a file or folder as a whole. */
export function atTop(file: string, message: string, suggestion?: string): Problem {
  return { file, line: 1, column: 1, message, suggestion };
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One line: `homeserver.yaml:3:1: message (suggestion)`; the path is shown as seen from `folder`. */
export function formatProblem(problem: Problem, folder: string): string {
  const { line, column, message, suggestion } = problem;
  const seen = relative(folder, problem.file);
  const file = seen === '' || seen.startsWith('..') ? problem.file : seen;
  return `${file}:${line}:${column}: ${message}${suggestion === undefined ? '' : ` (${suggestion})`}`;
}

/** A line that sums them up, and one for each; paths are shown as seen from `folder`. */
export function describeProblems(problems: readonly Problem[], folder: string): string {
  const count = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`;
  return [
    `the configuration has ${count}:`,
    ...problems.map((problem) => `  ${formatProblem(problem, folder)}`),
  ].join('\n');
}
