import { isValidServerName } from '../../protocol/identifiers.ts';
import type { JsonValue } from '../../protocol/json.ts';
import { badJson } from '../../rooms/errors.ts';
import { admissionPath } from '../rooms/consent.ts';
import { type FederationRoute, textList } from './route.ts';

const maxServers = 1_000;

/**
 * Not of Matrix. An island asks before further servers come into a room with us: `{room_id, servers, newcomers}`,
 * where `servers` are all others that would be in it. The answer is ours by our own policy, `{allowed, violations}`:
 * codes, and not the rules behind them.
 */
export const admission: FederationRoute = {
  method: 'POST',
  path: admissionPath,
  async handle(request, { engine, border, serverName, db }) {
    const body = await request.json();
    const { room_id: roomId } = body;
    if (typeof roomId !== 'string' || roomId.length > 255) throw badJson('room_id has to be a text');
    const newcomers = serverNames(body['newcomers'], 'newcomers');
    const named = [...serverNames(body['servers'], 'servers'), ...newcomers, request.origin];
    const held = await engine.view(roomId);
    // A room is ours to speak for with whom we are in it; of others we know what we are told.
    const room =
      held?.hasLocalMember() === true && held.joinedServers().has(request.origin) ? held : undefined;
    const servers = new Set([...named, ...(room?.joinedServers() ?? [])]);
    servers.delete(serverName);
    const decision = border.consent(room, roomId, [...servers]);
    const codes = decision.allowed ? [] : decision.violations.map(({ code }) => code);
    db.audit.record({
      action: 'border.consent',
      outcome: decision.allowed ? 'done' : 'denied',
      actor: request.origin,
      subject: roomId,
      detail: { newcomers, servers: [...servers].slice(0, 20), ...(codes.length === 0 ? {} : { codes }) },
    });
    if (decision.allowed && room !== undefined) {
      border.expect(roomId, newcomers);
      await engine.keepAcl(roomId);
    }
    return { allowed: decision.allowed, ...(decision.allowed ? {} : { violations: [...new Set(codes)] }) };
  },
};

function serverNames(value: JsonValue | undefined, name: string): string[] {
  const names = textList(value, name);
  if (names.length > maxServers || !names.every(isValidServerName))
    throw badJson(`${name} has to hold names of servers, ${maxServers} at most`);
  return names;
}
