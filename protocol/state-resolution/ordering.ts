import type { RoomEvent } from '../event.ts';
import { PowerLevels } from '../power-levels.ts';
import type { RoomVersion } from '../room-versions.ts';
import { authChain, type LoadEvent } from './conflicts.ts';

/** A state event that may take somebody's ability to do something in the room. */
export function isPowerEvent({ pdu }: RoomEvent): boolean {
  if (pdu.state_key === undefined) return false;
  if (pdu.type === 'm.room.power_levels' || pdu.type === 'm.room.join_rules') return true;
  if (pdu.type !== 'm.room.member') return false;
  const { membership } = pdu.content;
  return (membership === 'leave' || membership === 'ban') && pdu.sender !== pdu.state_key;
}

/** The power events of the full conflicted set, and what of their auth chains belongs to it. */
export function powerEvents(fullConflicted: ReadonlySet<string>, load: LoadEvent): Set<string> {
  const chosen = new Set<string>();
  for (const eventId of fullConflicted) {
    const event = load(eventId);
    if (event !== undefined && isPowerEvent(event)) chosen.add(eventId);
  }
  for (const eventId of authChain([...chosen], load)) {
    if (fullConflicted.has(eventId)) chosen.add(eventId);
  }
  return chosen;
}

interface Node {
  readonly event: RoomEvent;
  /** The sender's. */
  readonly power: number;
  /** Those of the events that name this one as an auth event. */
  readonly releases: Node[];
  /** How many of the events it names have no place yet. */
  waitsFor: number;
}

/**
 * Reverse topological power ordering: Kahn's algorithm along `auth_events`, always taking the smallest candidate:
 * greater power of the sender first, then the earlier timestamp, then the smaller event id.
 */
export function byPower(eventIds: ReadonlySet<string>, version: RoomVersion, load: LoadEvent): RoomEvent[] {
  const nodes = new Map<string, Node>();
  for (const eventId of eventIds) {
    const event = load(eventId);
    if (event === undefined) continue;
    nodes.set(eventId, { event, power: senderPower(event, version, load), releases: [], waitsFor: 0 });
  }
  for (const node of nodes.values()) {
    for (const authId of new Set(node.event.pdu.auth_events)) {
      const auth = nodes.get(authId);
      if (auth === undefined) continue;
      auth.releases.push(node);
      node.waitsFor++;
    }
  }
  const ready = new Heap<Node>((x, y) =>
    x.power === y.power ? compareAge(x.event, y.event) : x.power > y.power ? -1 : 1,
  );
  for (const node of nodes.values()) if (node.waitsFor === 0) ready.push(node);
  const sorted: RoomEvent[] = [];
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    sorted.push(node.event);
    for (const released of node.releases) if (--released.waitsFor === 0) ready.push(released);
  }
  return sorted;
}

/** The sender's power by the event's own `auth_events`. */
function senderPower(event: RoomEvent, version: RoomVersion, load: LoadEvent): number {
  let create = version.roomIdIsHash ? load(`$${event.roomId.slice(1)}`) : undefined;
  let levels: RoomEvent | undefined;
  for (const authId of event.pdu.auth_events) {
    const auth = load(authId);
    if (isPowerLevels(auth)) levels = auth;
    else if (auth?.pdu.type === 'm.room.create' && auth.pdu.state_key === '') create = auth;
  }
  return new PowerLevels(create, levels, version).userLevel(event.pdu.sender);
}

/** Mainline ordering based on a power levels event (undefined: there is none, and every position is infinite). */
export function byMainline(
  eventIds: Iterable<string>,
  powerLevelsId: string | undefined,
  load: LoadEvent,
): RoomEvent[] {
  // Of power levels events: where the walk from such an event first meets the mainline, itself included.
  const positions = new Map<string, number>();
  for (let id = powerLevelsId; id !== undefined && !positions.has(id); id = powerLevelsOf(id, load)) {
    positions.set(id, positions.size);
  }
  const entries: { event: RoomEvent; position: number }[] = [];
  for (const eventId of eventIds) {
    const event = load(eventId);
    if (event !== undefined) entries.push({ event, position: mainlinePosition(eventId, positions, load) });
  }
  return entries
    .sort((a, b) =>
      a.position === b.position ? compareAge(a.event, b.event) : b.position > a.position ? 1 : -1,
    )
    .map(({ event }) => event);
}

/** Notes down the position for what it passes, so that no branch beside the mainline is walked twice. */
function mainlinePosition(eventId: string, positions: Map<string, number>, load: LoadEvent): number {
  const passed: string[] = [];
  let id = powerLevelsOf(eventId, load);
  for (; id !== undefined && !positions.has(id); id = powerLevelsOf(id, load)) {
    passed.push(id);
    // Ends the walk should it come here again: hashes cannot form a cycle, names that a test gives can.
    positions.set(id, Number.POSITIVE_INFINITY);
  }
  const position = (id === undefined ? undefined : positions.get(id)) ?? Number.POSITIVE_INFINITY;
  for (const other of passed) positions.set(other, position);
  return position;
}

function powerLevelsOf(eventId: string, load: LoadEvent): string | undefined {
  return load(eventId)?.pdu.auth_events.find((id) => isPowerLevels(load(id)));
}

function isPowerLevels(event: RoomEvent | undefined): boolean {
  return event?.pdu.type === 'm.room.power_levels' && event.pdu.state_key === '';
}

function compareAge(x: RoomEvent, y: RoomEvent): number {
  const byTime = x.pdu.origin_server_ts - y.pdu.origin_server_ts;
  if (byTime !== 0) return byTime;
  return x.eventId < y.eventId ? -1 : x.eventId > y.eventId ? 1 : 0;
}

/** A binary heap: the smallest element first. */
class Heap<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #items: T[] = [];

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  push(item: T): void {
    const items = this.#items;
    let index = items.push(item) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#compare(items[index] as T, items[parent] as T) >= 0) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  pop(): T | undefined {
    const items = this.#items;
    if (items.length <= 1) return items.pop();
    const top = items[0];
    items[0] = items.pop() as T;
    for (let index = 0; ; ) {
      let smallest = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < items.length && this.#compare(items[child] as T, items[smallest] as T) < 0)
          smallest = child;
      }
      if (smallest === index) return top;
      this.#swap(index, smallest);
      index = smallest;
    }
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a] as T;
    this.#items[a] = this.#items[b] as T;
    this.#items[b] = item;
  }
}
