/**
 * History visibility (Client-Server API, "Room History Visibility"): who may see an event, decided from the state
 * at the event.
 */

export type HistoryVisibility = 'world_readable' | 'shared' | 'invited' | 'joined';

/** The visibility that `m.room.history_visibility` sets; what is missing or unknown counts as `shared`. */
export function historyVisibilityOf(value: unknown): HistoryVisibility {
  return value === 'world_readable' || value === 'invited' || value === 'joined' ? value : 'shared';
}

/** What the decision needs: state around the event, and what became of the user since. */
export interface VisibilityFacts {
  /** At the event. Where the event itself sets it: before and after. */
  readonly visibility: readonly HistoryVisibility[];
  /** The user's membership at the event. Where the event itself sets it: before and after. */
  readonly membership: readonly string[];
  /** Whether the user was joined at any point after the event (or is now). */
  readonly joinedLater: boolean;
}

/** The numbered rules of the server's behaviour; with two values of a fact, either may allow. */
export function maySeeEvent(facts: VisibilityFacts): boolean {
  return facts.visibility.some((visibility) =>
    facts.membership.some((membership) => allows(visibility, membership, facts.joinedLater)),
  );
}

function allows(visibility: HistoryVisibility, membership: string, joinedLater: boolean): boolean {
  // 1.
  if (visibility === 'world_readable') return true;
  // 2.
  if (membership === 'join') return true;
  // 3.
  if (visibility === 'shared' && joinedLater) return true;
  // 4.; 5. is the denial.
  return visibility === 'invited' && membership === 'invite';
}
