import { dirname, relative, resolve } from 'node:path';
import type { RawPartner } from './partner-schema.ts';
import type { Problem } from './problem.ts';
import type { RawConfig } from './schema.ts';
import type { YamlFile } from './yaml-file.ts';

type Path = readonly (string | number)[];

/** A partner entry and where it stands. */
export interface PartnerDraft {
  readonly raw: RawPartner;
  readonly file: YamlFile;
  /** The entry's path within its file. */
  readonly path: Path;
}

/** The files merged into one, and for each key the file that it came from. Collects what is wrong with them. */
export class Draft {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly partners: PartnerDraft[] = [];
  /** `homeserver.yaml` itself. */
  readonly main: YamlFile;
  readonly #origins = new Map<string, YamlFile>();
  readonly #raw: Record<string, unknown> = {};

  constructor(main: YamlFile) {
    this.main = main;
  }

  /** Takes over the keys of one file. Lists of partners add up; any other key stands in one file only. */
  add(file: YamlFile, raw: Readonly<Record<string, unknown>>): void {
    for (const [key, value] of Object.entries(raw)) {
      if (key === 'partners') {
        // Checked against the schema before; what is not complete has a problem and never gets any further.
        const entries = (Array.isArray(value) ? value : []) as RawPartner[];
        for (const [index, entry] of entries.entries())
          if (typeof entry?.server_name === 'string')
            this.partners.push({ raw: entry, file, path: ['partners', index] });
        continue;
      }
      const other = this.#origins.get(key);
      if (other !== undefined) {
        const { line } = other.at(other.keyOffset([key]));
        this.report(
          file,
          file.keyOffset([key]),
          `${key} is set in ${other.path}:${line} already`,
          'keep one of them',
        );
        continue;
      }
      this.#origins.set(key, file);
      this.#raw[key] = value;
    }
  }

  /** The merged keys; true to its type only while there are no problems. */
  get raw(): Omit<RawConfig, 'partners'> {
    return this.#raw as Omit<RawConfig, 'partners'>;
  }

  has(key: string): boolean {
    return this.#origins.has(key);
  }

  report(file: YamlFile, offset: number, message: string, suggestion?: string): void {
    this.problems.push(file.problem(offset, message, suggestion));
  }

  warn(file: YamlFile, offset: number, message: string, suggestion?: string): void {
    this.warnings.push(file.problem(offset, message, suggestion));
  }

  /** Reports at the value of a key of the merged whole. */
  reportAt(path: Path, message: string, suggestion?: string): void {
    const file = this.#origins.get(String(path[0])) ?? this.main;
    this.report(file, file.offsetOf(path), message, suggestion);
  }

  /** The file that a top-level key stands in; the main file if it is absent. */
  fileOf(key: string): YamlFile {
    return this.#origins.get(key) ?? this.main;
  }

  /** `FILE:LINE` as decisions name it, the file as seen from the main one. */
  ruleAt(file: YamlFile, offset: number): string {
    return `${relative(dirname(this.main.path), file.path)}:${file.at(offset).line}`;
  }

  /** An absolute path out of one that is written in a file, and seen from there. */
  pathIn(file: YamlFile, path: string): string {
    return resolve(dirname(file.path), path);
  }
}
