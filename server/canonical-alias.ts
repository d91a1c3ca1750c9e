import { invalidParam, MatrixError } from '../http/errors.ts';
import { parseRoomAlias } from '../protocol/identifiers.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';
import { RemoteError } from '../rooms/ports.ts';
import { type AliasDeps, resolveAlias } from './aliases.ts';

/** More alternatives than this are not looked up. */
const maxAliases = 50;

/**
 * Checks the aliases that a new `m.room.canonical_alias` adds ("m.room.canonical_alias"); those that are there already,
 * and those that it removes, are not asked about. Throws 400 `M_INVALID_PARAM` for what is no alias, 400 `M_BAD_ALIAS`
 * for one that does not lead to this room.
 */
export async function checkCanonicalAlias(
  deps: AliasDeps,
  userId: string,
  roomId: string,
  content: JsonObject,
): Promise<void> {
  const { alias, alt_aliases: alternatives } = content;
  if (alternatives !== undefined && !Array.isArray(alternatives))
    throw invalidParam('alt_aliases is no list');
  const view = await deps.engine.view(roomId);
  // Who may not send anything here is told so by the sending.
  if (view?.membership(userId) !== 'join') return;
  const before = view.content('m.room.canonical_alias');
  const known = new Set([before['alias'], ...listOf(before['alt_aliases'])]);
  const main = alias === undefined || alias === null || alias === '' ? [] : [alias];
  const added = [...main, ...listOf(alternatives)].filter((name) => !known.has(name));
  if (added.length > maxAliases) throw invalidParam(`No more than ${maxAliases} aliases at a time`);
  for (const name of added) {
    if (typeof name !== 'string' || parseRoomAlias(name) === undefined)
      throw invalidParam(`${JSON.stringify(name)} is not a room alias`);
    if ((await roomOf(deps, name)) !== roomId)
      throw new MatrixError(400, 'M_BAD_ALIAS', `The alias ${name} does not lead to this room`);
  }
}

function listOf(value: JsonValue | undefined): JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** Undefined where nobody can be asked: an alias that leads nowhere does not lead here. */
async function roomOf(deps: AliasDeps, alias: string): Promise<string | undefined> {
  try {
    return (await resolveAlias(deps, alias)).roomId;
  } catch (error) {
    if (error instanceof MatrixError || error instanceof RemoteError) return undefined;
    throw error;
  }
}
