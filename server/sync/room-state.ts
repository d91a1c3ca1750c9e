import type { StateKey } from '../../protocol/event.ts';
import { splitStateKey, stateKeyOf } from '../../protocol/event.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { RoomView, StoredEvent } from '../../rooms/types.ts';
import type { RoomEventFilter } from '../event-filter.ts';

/**
 * Which state events a `/sync` shows beside a timeline, so that a client that applies first `state`, then the
 * timeline, ends at the room's state at the end of the timeline; or with `state_after` that state itself.
 */

/** A room's state: the event of each key. */
export interface StateReader {
  get(key: StateKey): Promise<StoredEvent | undefined>;
  keys(): Iterable<StateKey>;
}

/** Further back the events of one key are not followed. */
const maxSteps = 100;

/**
 * The current state as it was at `upTo`. The view in memory runs ahead of what is on disk and of the place up to which
 * this `/sync` reads: what came later is left for the next one.
 */
export function stateUpTo(engine: RoomEngine, view: RoomView, upTo: number): StateReader {
  return {
    keys: () => [...view.state.keys()],
    get: async (key) => {
      let event = view.state.get(key);
      for (let steps = 0; event !== undefined && steps < maxSteps; steps += 1) {
        if (await isThereAt(engine, event, upTo)) return event;
        event = await engine.replacedBy(event);
      }
      return undefined;
    },
  };
}

/** The state after an event. */
export async function stateAfter(engine: RoomEngine, eventId: string): Promise<StateReader> {
  const state = await engine.stateAfter(eventId);
  return {
    keys: () => state.keys(),
    get: async (key) => {
      const id = state.get(key);
      return id === undefined ? undefined : engine.event(id);
    },
  };
}

async function isThereAt(engine: RoomEngine, event: StoredEvent, position: number): Promise<boolean> {
  if (event.streamPos !== null) return event.streamPos <= position;
  // These never have a position; anything else without one is being written, or was until a moment ago.
  if (event.outlier || event.softFailed) return true;
  const written = await engine.event(event.eventId);
  return (written?.streamPos ?? Number.POSITIVE_INFINITY) <= position;
}

export interface StateQuery {
  /** At the end of the timeline. */
  readonly end: StateReader;
  /** Oldest first. */
  readonly timeline: readonly StoredEvent[];
  /** `state_after` is wanted: what the timeline shows is repeated. */
  readonly afterTimeline: boolean;
}

/** All of the state up to the start of the timeline, or to its end. */
export async function fullState(engine: RoomEngine, query: StateQuery): Promise<StoredEvent[]> {
  return entriesFor(engine, query, query.end.keys());
}

/**
 * What changed between two syncs: keys that changed, and of those whose newest event the timeline shows the ones that
 * changed in the gap before it too, with what they were when the timeline starts.
 */
export async function changedState(
  engine: RoomEngine,
  query: StateQuery,
  changed: { readonly keys: Iterable<StateKey>; readonly inGap: ReadonlySet<StateKey> },
): Promise<StoredEvent[]> {
  return entriesFor(engine, query, changed.keys, changed.inGap);
}

async function entriesFor(
  engine: RoomEngine,
  { end, timeline, afterTimeline }: StateQuery,
  keys: Iterable<StateKey>,
  startFor?: ReadonlySet<StateKey>,
): Promise<StoredEvent[]> {
  const shown = new Set(afterTimeline ? [] : timeline.map(({ eventId }) => eventId));
  const start = new StartOfTimeline(engine, timeline);
  const events: StoredEvent[] = [];
  for (const key of keys) {
    const current = await end.get(key);
    if (current === undefined) continue;
    const isShown = shown.has(current.eventId);
    if (isShown && startFor?.has(key) === false) continue;
    const event = isShown ? await start.get(key) : current;
    if (event !== undefined) events.push(event);
  }
  return events;
}

/** The state before the first event of a timeline, looked up when it is needed. */
class StartOfTimeline {
  readonly #engine: RoomEngine;
  readonly #first: StoredEvent | undefined;
  #state: ReturnType<RoomEngine['stateBefore']> | undefined;

  constructor(engine: RoomEngine, timeline: readonly StoredEvent[]) {
    this.#engine = engine;
    this.#first = timeline[0];
  }

  async get(key: StateKey): Promise<StoredEvent | undefined> {
    if (this.#first === undefined) return undefined;
    const { anchor, eventId } = this.#first;
    this.#state ??=
      anchor === undefined ? this.#engine.stateBefore(eventId) : this.#engine.stateAfter(anchor);
    const id = (await this.#state).get(key);
    return id === undefined ? undefined : this.#engine.event(id);
  }
}

/**
 * With lazy loading: the member events of those whom the client needs to show (`wanted`), and of the others whose
 * membership changed.
 */
export function lazyMembers(
  events: readonly StoredEvent[],
  filter: RoomEventFilter | undefined,
  wanted: ReadonlySet<string>,
): StoredEvent[] {
  if (filter?.lazy_load_members !== true) return [...events];
  return events.filter(({ pdu }) => pdu.type !== 'm.room.member' || wanted.has(pdu.state_key ?? ''));
}

/** The member events that stand for `users` when the timeline starts, as far as it does not show them itself. */
export async function memberEvents(
  engine: RoomEngine,
  query: StateQuery,
  users: Iterable<string>,
): Promise<StoredEvent[]> {
  return entriesFor(
    engine,
    query,
    [...users].map((userId) => stateKeyOf('m.room.member', userId)),
  );
}

/** Whether a change at this key may change the room's summary. */
export function isOfSummary(key: StateKey): boolean {
  const { type } = splitStateKey(key);
  return type === 'm.room.member' || type === 'm.room.name' || type === 'm.room.canonical_alias';
}

/** The room summary: counts, and heroes where the room has no name of its own. */
export function summaryOf(view: RoomView, userId: string): Record<string, number | string[]> {
  const summary: Record<string, number | string[]> = {
    'm.joined_member_count': view.joinedCount,
    'm.invited_member_count': view.invitedCount,
  };
  const { name } = view.content('m.room.name');
  const { alias } = view.content('m.room.canonical_alias');
  const isNamed = [name, alias].some((text) => typeof text === 'string' && text !== '');
  if (!isNamed) summary['m.heroes'] = heroesOf(view, userId);
  return summary;
}

const maxHeroes = 5;

/** The first members who are joined or invited; if there are none, the first of those who are out. */
function heroesOf(view: RoomView, userId: string): string[] {
  const present: [number, string][] = [];
  const gone: [number, string][] = [];
  for (const [member, { pdu, streamPos, outlier }] of view.members) {
    if (member === userId) continue;
    const { membership } = pdu.content;
    const list = membership === 'join' || membership === 'invite' ? present : gone;
    addHero(list, [streamPos ?? (outlier ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER), member]);
  }
  return (present.length > 0 ? present : gone).map(([, member]) => member);
}

/** Keeps the first few, in order. */
function addHero(heroes: [number, string][], hero: [number, string]): void {
  const at = heroes.findIndex(
    ([position, member]) => position > hero[0] || (position === hero[0] && member > hero[1]),
  );
  if (at < 0) heroes.push(hero);
  else heroes.splice(at, 0, hero);
  if (heroes.length > maxHeroes) heroes.pop();
}
