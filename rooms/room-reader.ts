import type { Database } from '../storage/database.ts';
import { EventLookup } from './event-lookup.ts';
import { RoomRegistry } from './room-registry.ts';
import { StateSets } from './state/state-sets.ts';
import { RoomStore } from './store.ts';
import type { RoomView } from './types.ts';

/** Reads rooms of an island that does not run; undefined for one that it does not hold. */
export function roomReader(
  serverName: string,
  db: Database,
): (roomId: string) => Promise<RoomView | undefined> {
  const store = new RoomStore(db);
  const lookup = new EventLookup(db.events);
  const rooms = new RoomRegistry(serverName, store, lookup, new StateSets(store, lookup, 100_000), 10);
  return async (roomId) => rooms.get(roomId);
}
