import type { Clock } from '../../protocol/runtime.ts';
import { closeCodes, type LinkLimits } from './limits.ts';
import type { Link } from './link.ts';
import { type LinkStatus, LinkUnavailable } from './types.ts';

/**
 * The links to one partner: at most one that we dialled and one that it dialled, and of those two one is kept
 * (island-link §2, "Two links at once").
 */
export class PartnerLinks {
  readonly #serverName: string;
  readonly #ownName: string;
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #links: { us?: Link; them?: Link } = {};
  readonly #waiting = new Set<(link: Link | undefined) => void>();
  #since: number;
  #wasUp = false;

  constructor(deps: { serverName: string; ownName: string; clock: Clock; limits: LinkLimits }) {
    this.#serverName = deps.serverName;
    this.#ownName = deps.ownName;
    this.#clock = deps.clock;
    this.#limits = deps.limits;
    this.#since = deps.clock.now();
  }

  all(): Link[] {
    return [this.#links.us, this.#links.them].filter((link) => link !== undefined);
  }

  /** The link that takes requests; while two are compared, the one that will be kept if both are alive. */
  usable(): Link | undefined {
    const preferred = this.#links[this.#preferred()];
    if (preferred?.isUsable) return preferred;
    return this.all().find((link) => link.isUsable);
  }

  add(link: Link): void {
    const older = this.#links[link.dialledBy];
    this.#links[link.dialledBy] = link;
    // It would not have dialled again if the older one worked.
    older?.close(closeCodes.replaced, 'a newer link replaced it');
    for (const resolve of [...this.#waiting]) resolve(link);
    const { us, them } = this.#links;
    if (us !== undefined && them !== undefined) void this.#compare(us, them);
  }

  remove(link: Link): void {
    if (this.#links[link.dialledBy] === link) delete this.#links[link.dialledBy];
  }

  /** Resolves to a usable link; rejects with `LinkUnavailable` after `timeoutMs`. */
  wait(timeoutMs: number): Promise<Link> {
    return new Promise((resolve, reject) => {
      const settle = (link: Link | undefined): void => {
        timer.cancel();
        this.#waiting.delete(settle);
        if (link === undefined) reject(new LinkUnavailable(`There is no link to ${this.#serverName}`));
        else resolve(link);
      };
      const timer = this.#clock.setTimer(timeoutMs, () => settle(undefined));
      this.#waiting.add(settle);
    });
  }

  /** Nobody has to wait any more. */
  giveUp(): void {
    for (const reject of [...this.#waiting]) reject(undefined);
  }

  /** Compares with what was before: `up` or `down` when that changed. */
  change(): 'up' | 'down' | undefined {
    const isUp = this.usable() !== undefined;
    if (isUp === this.#wasUp) return undefined;
    this.#wasUp = isUp;
    this.#since = this.#clock.now();
    return isUp ? 'up' : 'down';
  }

  status(isDialling: boolean): LinkStatus {
    const link = this.usable();
    if (link !== undefined) return { state: 'connected', since: this.#since, dialledBy: link.dialledBy };
    return { state: isDialling ? 'connecting' : 'down', since: this.#since, dialledBy: null };
  }

  #preferred(): 'us' | 'them' {
    return this.#ownName < this.#serverName ? 'us' : 'them';
  }

  async #compare(us: Link, them: Link): Promise<void> {
    const { compareMs } = this.#limits;
    const [usAlive, themAlive] = await Promise.all([us.ping(compareMs), them.ping(compareMs)]);
    if (this.#links.us !== us || this.#links.them !== them) return;
    if (!usAlive) us.terminate('it did not answer beside another link');
    if (!themAlive) them.terminate('it did not answer beside another link');
    if (usAlive && themAlive) (this.#preferred() === 'us' ? them : us).leave('duplicate');
  }
}
