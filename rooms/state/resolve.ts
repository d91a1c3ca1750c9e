import type { RoomEvent, StateMap } from '../../protocol/event.ts';
import { separate } from '../../protocol/state-resolution/conflicts.ts';
import { resolveState } from '../../protocol/state-resolution/resolve.ts';
import type { EventLookup } from '../event-lookup.ts';
import type { Room } from '../room.ts';

/** No room of a company comes near it; it ends a walk that somebody made up to keep us busy. */
const maxAuthChain = 200_000;

/** Loads the events and all that authorises them, breadth first, a batch of queries per generation. */
export async function loadAuthChain(
  lookup: EventLookup,
  room: Room | undefined,
  ids: Iterable<string>,
  into: Map<string, RoomEvent>,
): Promise<void> {
  let wanted = [...new Set(ids)].filter((id) => !into.has(id));
  while (wanted.length > 0 && into.size < maxAuthChain) {
    const found = await lookup.many(wanted, room);
    const next = new Set<string>();
    for (const event of found.values()) {
      into.set(event.eventId, event);
      for (const id of event.pdu.auth_events) if (!into.has(id)) next.add(id);
    }
    for (const id of found.keys()) next.delete(id);
    wanted = [...next];
  }
}

/**
 * Resolves state maps by the room version's algorithm. The algorithm itself is synchronous and asks for
 * events by id: what it turns out to need beyond the conflicted events' auth chains is loaded, and it runs
 * again; the same input gives the same result however often it runs. Each round loads what it misses with all
 * that authorises it, or learns that we do not hold it, so there are few.
 */
export async function resolve(lookup: EventLookup, room: Room, sets: readonly StateMap[]): Promise<StateMap> {
  const events = new Map<string, RoomEvent>();
  const absent = new Set<string>();
  await loadAuthChain(lookup, room, separate(sets).conflicted, events);
  for (;;) {
    const misses = new Set<string>();
    const resolved = resolveState(room.version, sets, (id) => {
      const event = events.get(id);
      if (event === undefined && !absent.has(id)) misses.add(id);
      return event;
    });
    if (misses.size === 0) return resolved;
    await loadAuthChain(lookup, room, misses, events);
    for (const id of misses) if (!events.has(id)) absent.add(id);
  }
}
