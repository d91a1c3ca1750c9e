import type { LanePlace } from '../lanes.ts';

/** How a lane of ours stands here. */
export interface OwnStanding {
  readonly epoch: string;
  /** The highest number whose acknowledgement is on disk; 0: none. */
  readonly acked: number;
  /** The highest number that was given. */
  readonly given: number;
  /** Does a stored transaction end with this number, or was everything up to it acknowledged? */
  isBoundary(sequence: number): boolean;
  /** Was this an epoch of the lane before the present one? */
  isRetired(epoch: string): boolean;
}

/**
 * What follows from what a partner says it received last:
 * - `go-on`: all is well; everything up to `sequence` arrived;
 * - `partner-restored`: it has less than it acknowledged: an older database was put back there;
 * - `we-restored`: it has more than we remember to have sent: an older database was put back here.
 */
export type StandingVerdict =
  | { readonly kind: 'go-on'; readonly sequence: number }
  | { readonly kind: 'partner-restored' }
  | { readonly kind: 'we-restored' };

export function judgeStanding(own: OwnStanding, received: LanePlace | undefined): StandingVerdict {
  if (received === undefined)
    return own.acked === 0 ? { kind: 'go-on', sequence: 0 } : { kind: 'partner-restored' };
  if (received.epoch === own.epoch) {
    if (received.sequence > own.given) return { kind: 'we-restored' };
    if (received.sequence < own.acked) return { kind: 'partner-restored' };
    return own.isBoundary(received.sequence)
      ? { kind: 'go-on', sequence: received.sequence }
      : { kind: 'we-restored' };
  }
  if (!own.isRetired(received.epoch)) return { kind: 'we-restored' };
  // It names an epoch of the past. That is in order as long as it was given nothing of the present one.
  return own.acked === 0 ? { kind: 'go-on', sequence: 0 } : { kind: 'partner-restored' };
}
