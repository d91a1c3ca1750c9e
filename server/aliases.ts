import { invalidParam, notFound } from '../http/errors.ts';
import { parseRoomAlias } from '../protocol/identifiers.ts';
import { RemoteError, type RemoteRooms } from '../rooms/ports.ts';
import type { RoomEngine } from '../rooms/room-engine.ts';
import type { Database } from '../storage/database.ts';

export interface AliasDeps {
  readonly config: { readonly serverName: string };
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly remote: RemoteRooms;
}

export interface ResolvedAlias {
  readonly roomId: string;
  /** Servers that can help to join, ours first where we are in the room. */
  readonly servers: string[];
}

/** Finds the room of an alias, ours or a partner's. Throws 400 for what is none, 404 for one that nobody has. */
export async function resolveAlias(deps: AliasDeps, alias: string): Promise<ResolvedAlias> {
  const parsed = parseRoomAlias(alias);
  if (parsed === undefined) throw invalidParam('Not a room alias');
  if (parsed.serverName !== deps.config.serverName) return resolveRemote(deps, alias);
  const record = await deps.db.aliases.get(alias);
  if (record === undefined) throw notFound(`There is no alias ${alias}`);
  const view = await deps.engine.view(record.roomId);
  const joined = view === undefined ? record.servers : [...view.joinedServers()];
  const servers = joined.includes(deps.config.serverName)
    ? [deps.config.serverName, ...joined.filter((server) => server !== deps.config.serverName)]
    : [...joined];
  return { roomId: record.roomId, servers };
}

async function resolveRemote(deps: AliasDeps, alias: string): Promise<ResolvedAlias> {
  try {
    return await deps.remote.resolveAlias(alias);
  } catch (error) {
    if (error instanceof RemoteError && error.status === 404) throw notFound(`There is no alias ${alias}`);
    throw error;
  }
}
