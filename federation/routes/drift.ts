import { isValidServerName } from '../../protocol/identifiers.ts';
import { badJson, forbidden } from '../../rooms/errors.ts';
import { driftPath } from '../rooms/drift-report.ts';
import type { FederationRoute } from './route.ts';

/**
 * Not of Matrix. An island tells that a server came into a room that we share, by way of us as far as it can see, and
 * that its policy does not want it there: `{room_id, server, action}`. Our admin reads it in the log and the audit log.
 */
export const drift: FederationRoute = {
  method: 'POST',
  path: driftPath,
  async handle(request, { engine, drifts }) {
    const { room_id: roomId, server, action } = await request.json();
    if (typeof roomId !== 'string' || typeof server !== 'string' || !isValidServerName(server))
      throw badJson('room_id and server are needed');
    if (action !== 'freeze' && action !== 'leave' && action !== 'alarm')
      throw badJson('action has to be freeze, leave or alarm');
    const room = await engine.view(roomId);
    if (room === undefined || !room.hasLocalMember()) throw forbidden('We are not in this room');
    // Whoever left the room because of it is not in it any more.
    if (![...room.members.keys()].some((userId) => userId.endsWith(`:${request.origin}`)))
      throw forbidden('Your server is not in this room');
    drifts.reported({ from: request.origin, roomId, server, action });
    return {};
  },
};
