import type { Logger } from 'pino';
import type { Pdu } from '../protocol/event.ts';
import type { RoomVersion, RoomVersionId } from '../protocol/room-versions.ts';
import type { Clock, FailPoint, Random } from '../protocol/runtime.ts';
import type { SigningKey } from '../protocol/signing.ts';
import type { Database } from '../storage/database.ts';
import { EventLookup } from './event-lookup.ts';
import type { Border, HeldInvitations, KeyRing, RemoteRooms } from './ports.ts';
import { KeyedQueues } from './queue.ts';
import { signatureOf } from './receive/02-signatures.ts';
import { RoomRegistry } from './room-registry.ts';
import { StateSets } from './state/state-sets.ts';
import { RoomStore } from './store.ts';

/** What a room engine is made of; `server/` puts it together. */
export interface RoomEngineDeps {
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly db: Database;
  readonly remote: RemoteRooms;
  readonly keys: KeyRing;
  readonly border: Border;
  /** Without it nothing can be held: what needs an approval is refused. */
  readonly invitations?: HeldInvitations | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The version of rooms for which nobody asks for one. */
  defaultRoomVersion(): RoomVersionId;
  /** The user as whom the server itself speaks: an invitation by this one cannot be rejected. */
  readonly systemUserId?: string | undefined;
  readonly failPoint?: FailPoint | undefined;
  /** How much is kept in memory; the defaults suit a server of some thousand people. */
  readonly limits?: { readonly rooms?: number; readonly stateEntries?: number };
}

/** What the parts of the engine share. */
export interface RoomContext extends RoomEngineDeps {
  readonly store: RoomStore;
  readonly lookup: EventLookup;
  readonly sets: StateSets;
  readonly rooms: RoomRegistry;
  /** Joins, one at a time per room. */
  readonly joins: KeyedQueues;
  /** Remote joins under way: events that partners send meanwhile wait for them. */
  readonly joining: Map<string, Promise<unknown>>;
}

export function makeContext(deps: RoomEngineDeps): RoomContext {
  const store = new RoomStore(deps.db);
  const lookup = new EventLookup(deps.db.events);
  const sets = new StateSets(store, lookup, deps.limits?.stateEntries ?? 300_000);
  const rooms = new RoomRegistry(deps.serverName, store, lookup, sets, deps.limits?.rooms ?? 500);
  return { ...deps, store, lookup, sets, rooms, joins: new KeyedQueues(), joining: new Map() };
}

/** For the auth rules: who else signed the event (restricted joins name an authorising server). */
export function signers(
  ctx: RoomContext,
  pdu: Pdu,
  version: RoomVersion,
): { isSignedBy(serverName: string): boolean } {
  return { isSignedBy: (serverName) => signatureOf(pdu, serverName, version, ctx.keys) === 'valid' };
}
