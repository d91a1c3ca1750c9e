import type { RatePolicy } from '../../policy/partner-policy.ts';
import type { Direction } from '../../policy/question.ts';
import type { Clock } from '../../protocol/runtime.ts';

interface Account {
  /** What is left; below zero after something that was larger than what was left. */
  left: number;
  at: number;
}

interface Limit {
  readonly capacity: number;
  readonly perSecond: number;
}

const hourSeconds = 3_600;
const daySeconds = 24 * hourSeconds;
const burstFactor = 10;

/**
 * What partners have left of their quotas, in memory: a restart gives everybody a full one. Who has anything left may
 * go on, and what they take beyond it is waited for before the next: sizes are known only when a file is here.
 */
export class Quotas {
  readonly #clock: Clock;
  readonly #accounts = new Map<string, Account>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes an invitation; 0, or the milliseconds until there is room for one. */
  invite(partner: string, direction: Direction, { invitesPerHour }: RatePolicy): number {
    const limit = { capacity: invitesPerHour, perSecond: invitesPerHour / hourSeconds };
    return this.#take(`${partner} invites ${direction}`, limit, 1);
  }

  /** Takes received events. */
  events(partner: string, { eventsPerSecond, eventBurst }: RatePolicy, count: number): number {
    if (eventsPerSecond === undefined || count === 0) return 0;
    const limit = { capacity: eventBurst ?? burstFactor * eventsPerSecond, perSecond: eventsPerSecond };
    return this.#take(`${partner} events`, limit, count);
  }

  /** Takes the bytes of a file; of one whose size is not known yet 0, and the rest by `addMedia`. */
  media(partner: string, direction: Direction, rate: RatePolicy, bytes: number): number {
    const limit = mediaLimit(rate);
    return limit === undefined ? 0 : this.#take(`${partner} media ${direction}`, limit, bytes);
  }

  /** Bytes that have crossed. */
  addMedia(partner: string, direction: Direction, rate: RatePolicy, bytes: number): void {
    const limit = mediaLimit(rate);
    if (limit !== undefined) this.#account(`${partner} media ${direction}`, limit).left -= bytes;
  }

  #take(key: string, limit: Limit, amount: number): number {
    const account = this.#account(key, limit);
    // One whole unit, so that a trickle of refill is no invitation.
    const needed = Math.min(1, limit.capacity);
    if (account.left < needed) return Math.ceil(((needed - account.left) / limit.perSecond) * 1_000);
    account.left -= amount;
    return 0;
  }

  #account(key: string, { capacity, perSecond }: Limit): Account {
    const now = this.#clock.now();
    const account = this.#accounts.get(key) ?? { left: capacity, at: now };
    const elapsed = Math.max(0, now - account.at) / 1_000;
    account.left = Math.min(capacity, account.left + elapsed * perSecond);
    account.at = now;
    this.#accounts.set(key, account);
    return account;
  }
}

function mediaLimit({ mediaPerDay }: RatePolicy): Limit | undefined {
  return mediaPerDay === undefined
    ? undefined
    : { capacity: mediaPerDay, perSecond: mediaPerDay / daySeconds };
}
