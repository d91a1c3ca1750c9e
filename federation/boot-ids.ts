import type { Logger } from 'pino';

const remembered = 8;

/**
 * Watches the boot ids of partners. A restart brings a new one; one that comes back after another was seen
 * means that two servers run under one name and one key.
 */
export class BootIds {
  readonly #log: Logger;
  readonly #seen = new Map<string, string[]>();

  constructor(log: Logger) {
    this.#log = log;
  }

  heard(partner: string, boot: string): void {
    if (boot === '') return;
    const seen = this.#seen.get(partner) ?? [];
    if (seen.at(-1) === boot) return;
    if (seen.includes(boot))
      this.#log.error(
        { alarm: 'two-servers', partner, boot },
        'two servers alternate under one name: the key of this partner is in use twice',
      );
    this.#seen.set(partner, [...seen.filter((known) => known !== boot), boot].slice(-remembered));
  }
}
