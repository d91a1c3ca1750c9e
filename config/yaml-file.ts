import { readFile } from 'node:fs/promises';
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { atTop, errorMessage, type Problem } from './problem.ts';
import { syntaxProblems } from './syntax-problem.ts';

const maxBytes = 4 * 1024 * 1024;

/** A YAML file that was read, with the place of everything in it. */
export class YamlFile {
  /** Absolute path. */
  readonly path: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(path: string, document: Document, lines: LineCounter) {
    this.path = path;
    this.#document = document;
    this.#lines = lines;
  }

  /** The top of the document; undefined for an empty one. */
  get root(): Node | undefined {
    return this.resolve(this.#document.contents);
  }

  /** What an alias stands for, or the node itself. */
  resolve(node: unknown): Node | undefined {
    if (isAlias(node)) return node.resolve(this.#document);
    return isMap(node) || isSeq(node) || isScalar(node) ? node : undefined;
  }

  at(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  problem(offset: number, message: string, suggestion?: string): Problem {
    return { file: this.path, ...this.at(offset), message, suggestion };
  }

  /** Where the value at a path begins, or the nearest thing around it that is there. */
  offsetOf(path: readonly (string | number)[]): number {
    let node = this.root;
    let offset = startOf(node);
    for (const step of path) {
      const next = this.#child(node, step);
      if (next === undefined) break;
      node = next;
      offset = startOf(next);
    }
    return offset;
  }

  /** Where the key at the end of a path begins. */
  keyOffset(path: readonly (string | number)[]): number {
    const key = path.at(-1);
    let node = this.root;
    for (const step of path.slice(0, -1)) node = this.#child(node, step);
    if (isMap(node))
      for (const pair of node.items)
        if (isPair(pair) && isScalar(pair.key) && pair.key.value === key) return startOf(pair.key);
    return this.offsetOf(path);
  }

  #child(node: Node | undefined, step: string | number): Node | undefined {
    if (isSeq(node) && typeof step === 'number') return this.resolve(node.items[step]);
    if (!isMap(node)) return undefined;
    for (const pair of node.items)
      if (isPair(pair) && isScalar(pair.key) && pair.key.value === step) return this.resolve(pair.value);
    return undefined;
  }
}

/** The offset at which a node begins. */
export function startOf(node: Node | undefined): number {
  return node?.range?.[0] ?? 0;
}

/** Reads a YAML file; problems if it cannot be read or is not proper YAML of one document. */
export async function readYaml(path: string): Promise<YamlFile | Problem[]> {
  let text: string;
  try {
    const bytes = await readFile(path);
    if (bytes.length > maxBytes) return [atTop(path, 'the file is too large to be a configuration')];
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return [atTop(path, 'the file is not text in UTF-8')];
    return [cannotRead(path, error)];
  }
  return parseYaml(path, text);
}

/** The same for a text that is at hand. */
export function parseYaml(path: string, text: string): YamlFile | Problem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const file = new YamlFile(path, document, lines);
  const problems = syntaxProblems(document, text);
  if (problems.length === 0) return file;
  return problems.map(({ offset, message, suggestion }) => file.problem(offset, message, suggestion));
}

function cannotRead(path: string, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT')
    return atTop(
      path,
      'there is no such file',
      'make one with: archipelago init --server-name NAME --dir DIR',
    );
  if (code === 'EISDIR') return atTop(path, 'this is a folder, and the file in it is asked for');
  return atTop(path, `the file cannot be read: ${errorMessage(error)}`);
}
