import Type, { type Static } from 'typebox';
import { AdminError } from '../../admin-error.ts';
import { operation } from '../operation.ts';

const drift = Type.Object({
  room_id: Type.String(),
  name: Type.Union([Type.String(), Type.Null()]),
  server: Type.String({ description: 'The server that somebody else let in.' }),
  partner: Type.String({ description: 'The partner whose policy does not want it there.' }),
  state: Type.Enum(['frozen', 'left', 'alarmed', 'accepted']),
  since: Type.Integer({ description: 'Milliseconds since the epoch.' }),
});

export type DriftSummary = Static<typeof drift>;

export const roomOperations = [
  operation({
    name: 'room.list-frozen',
    summary:
      'Lists rooms into which somebody else let a server that may not be there, and what became of them.',
    roles: ['admin', 'security', 'support'],
    params: {},
    result: Type.Object({ rooms: Type.Array(drift) }),
    http: { method: 'GET', path: '/rooms/frozen' },
    audit: 'read',
    needs: 'running island',
    async run({ island: { federation, engine } }) {
      const rooms: DriftSummary[] = [];
      for (const { roomId, server, partner, state, createdTs } of federation.drifts.list()) {
        const name = (await engine.view(roomId))?.content('m.room.name')['name'];
        const known = typeof name === 'string' ? name : null;
        rooms.push({ room_id: roomId, name: known, server, partner, state, since: createdTs });
      }
      return { rooms };
    },
  }),
  operation({
    name: 'room.unfreeze',
    summary: 'Lets people of this island write to a frozen room again.',
    roles: ['admin', 'security'],
    params: {
      room_id: Type.String({ description: 'The id of the room.' }),
      accept: Type.Optional(
        Type.Boolean({
          description: 'Whether the servers for which it was frozen may stay there; false by default.',
        }),
      ),
    },
    result: Type.Object({ was_frozen: Type.Boolean() }),
    http: { method: 'POST', path: '/rooms/:room_id/unfreeze' },
    audit: 'own',
    needs: 'running island',
    subject: ({ room_id }) => room_id,
    unchanged: ({ was_frozen }) => !was_frozen,
    async run({ island: { federation, engine } }, { room_id: roomId, accept = false }, { name: by }) {
      const view = await engine.view(roomId);
      const outcome = await federation.drifts.unfreeze(view, roomId, { accept, by });
      if (outcome.kind === 'still-there')
        throw new AdminError(
          `${outcome.servers.join(', ')} is still in the room, which would freeze again; remove its people first, or accept it`,
          { kind: 'conflict' },
        );
      return { was_frozen: outcome.kind === 'done' };
    },
  }),
] as const;
