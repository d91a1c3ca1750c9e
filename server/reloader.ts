import type { Logger } from 'pino';
import {
  afterReloadFlat,
  type ConfigChange,
  type ConfigComparison,
  compareConfigs,
  type FlatConfig,
  flatten,
  withPartnerOf,
} from '../config/compare.ts';
import type { Config } from '../config/config.ts';
import { type LoadedFiles, loadConfig } from '../config/load.ts';
import { describeProblems, formatProblem, type Problem } from '../config/problem.ts';
import type { Clock } from '../protocol/runtime.ts';
import { AdminError } from './admin-error.ts';
import type { Homeserver } from './homeserver.ts';
import type { DiffReport, ReloadReport } from './reload-report.ts';

/** Whatever is wrong beyond that many mistakes is only counted. */
const maxProblems = 50;

/**
 * Brings a running island and its files together. Nothing that was written in a file takes effect before somebody
 * asked for it here, and then all of it or nothing.
 */
export class Reloader {
  readonly #homeserver: Homeserver;
  readonly #clock: Clock;
  readonly #log: Logger;
  #running: FlatConfig;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: { homeserver: Homeserver; loaded: LoadedFiles; clock: Clock; log: Logger }) {
    this.#homeserver = deps.homeserver;
    this.#running = flatten(deps.loaded.effective);
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /**
   * Reads the files and takes over what can change while the island runs; with `partner` the entry of that one
   * alone. Throws AdminError for files with mistakes, and then everything stays as it is. One after the other: what is
   * on disk last is what is in force.
   */
  reload(options: { readonly partner?: string | undefined } = {}): Promise<ReloadReport> {
    const reload = this.#last.then(() => this.#reload(options.partner));
    this.#last = reload.catch(() => undefined);
    return reload;
  }

  /** What a reload would change, and what a restart. Throws AdminError for files with mistakes. */
  async diff(): Promise<DiffReport> {
    const { changes, partners } = compareConfigs(this.#running, flatten((await this.#read()).effective));
    const { added, changed, removed } = partners;
    return {
      changes: changes.map(({ takesEffect, ...change }) => ({ ...change, takes_effect: takesEffect })),
      partners: { added: [...added], changed: [...changed], removed: [...removed] },
    };
  }

  async #reload(partner: string | undefined): Promise<ReloadReport> {
    let files: ReadFiles;
    try {
      files = await this.#read();
    } catch (error) {
      if (error instanceof AdminError)
        this.#log.error({ reason: error.message }, 'the configuration was not reloaded; nothing changed');
      throw error;
    }
    return partner === undefined ? this.#takeAll(files) : this.#takeOne(files, partner);
  }

  #takeAll(files: ReadFiles): ReloadReport {
    const flat = flatten(files.effective);
    const comparison = compareConfigs(this.#running, flat);
    this.#homeserver.reload(files.config);
    this.#running = afterReloadFlat(this.#running, flat);
    return this.#report(comparison, files, []);
  }

  #takeOne(files: ReadFiles, partner: string): ReloadReport {
    const flat = flatten(files.effective);
    const target = withPartnerOf(this.#running, flat, partner);
    const comparison = compareConfigs(this.#running, target);
    this.#homeserver.reload(withPartner(this.#homeserver.config, files.config, partner));
    this.#running = target;
    const { changes, partners } = compareConfigs(target, flat);
    const others = [...partners.added, ...partners.removed].map((name) => `partners[${name}]`);
    return this.#report(comparison, files, [...changes.map(({ key }) => key), ...others]);
  }

  #report({ changes, partners }: ConfigComparison, files: ReadFiles, pending: string[]): ReloadReport {
    const keys = (effect: ConfigChange['takesEffect']): string[] =>
      changes
        .filter(({ key, takesEffect }) => takesEffect === effect && !key.startsWith('partners['))
        .map(({ key }) => key);
    const { added, changed, removed } = partners;
    const report: ReloadReport = {
      partners: {
        total: this.#homeserver.config.partners.length,
        added: [...added],
        changed: [...changed],
        removed: [...removed],
      },
      changed: keys('reload'),
      waiting: keys('restart'),
      pending,
      warnings: files.warnings.map((warning) => formatProblem(warning, this.#homeserver.config.directory)),
    };
    if (changes.length + added.length + removed.length > 0)
      this.#log.info(
        { changed: report.changed, waiting: report.waiting, partners: report.partners },
        'configuration reloaded',
      );
    // Whoever sent SIGHUP sees only the log.
    else this.#log.info('the configuration is read, and says what is in force already: nothing changed');
    return report;
  }

  async #read(): Promise<ReadFiles> {
    const { file, directory, serverName } = this.#homeserver.config;
    const loaded = await loadConfig(file, { now: this.#clock.now() });
    if (!loaded.ok) throw new AdminError(describeSome(loaded.problems, directory));
    if (loaded.config.serverName === serverName) return loaded;
    const source = flatten(loaded.effective).get('server_name')?.source;
    throw new AdminError(
      `The island runs as ${serverName}, and the configuration now says ${loaded.config.serverName} (${source}): the name of an island can never change`,
    );
  }
}

type ReadFiles = LoadedFiles & { readonly warnings: readonly Problem[] };

function describeSome(problems: readonly Problem[], directory: string): string {
  const more = problems.length - maxProblems;
  const text = describeProblems(problems.slice(0, maxProblems), directory);
  return more > 0 ? `${text}\n  and ${more} more` : text;
}

/** The configuration in force, with the entry of one partner as the files have it. */
function withPartner(running: Config, files: Config, serverName: string): Config {
  const isOther = (partner: Config['partners'][number]): boolean => partner.serverName !== serverName;
  const entry = files.partners.filter((partner) => !isOther(partner));
  return { ...running, partners: [...running.partners.filter(isOther), ...entry] };
}
