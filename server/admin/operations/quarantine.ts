import Type from 'typebox';
import { AdminError } from '../../admin-error.ts';
import { done, operation } from '../operation.ts';

const pageSize = 100;

const violation = Type.Object({
  code: Type.String(),
  message: Type.String(),
  rule: Type.Optional(Type.String({ description: 'The line of the configuration that decided.' })),
});

export const quarantineOperations = [
  operation({
    name: 'quarantine.list',
    summary:
      'Lists the events of partners whose content our people are not shown, the newest first, and why. Never what is in them.',
    roles: ['security'],
    params: {
      before: Type.Optional(
        Type.Integer({ minimum: 1, description: 'The `next` of the page before, where this one goes on.' }),
      ),
    },
    result: Type.Object({
      events: Type.Array(
        Type.Object({
          event_id: Type.String(),
          room_id: Type.String(),
          sender: Type.String(),
          type: Type.String(),
          violations: Type.Array(violation),
          created_ts: Type.Integer({ description: 'When it came; milliseconds since the epoch.' }),
        }),
      ),
      next: Type.Union([Type.Integer(), Type.Null()], {
        description: 'What `before` is for the next page; null at the end.',
      }),
    }),
    http: { method: 'GET', path: '/quarantine' },
    audit: 'read',
    needs: 'database',
    async run({ db }, { before }) {
      const records = await db.quarantine.list(pageSize, before);
      return {
        events: records.map(({ eventId, roomId, sender, type, violations, createdTs }) => ({
          event_id: eventId,
          room_id: roomId,
          sender,
          type,
          violations: violations.map(({ code, message, rule }) => ({
            code,
            message,
            ...(rule === undefined ? {} : { rule }),
          })),
          created_ts: createdTs,
        })),
        next: records.length < pageSize ? null : (records.at(-1)?.eventNid ?? null),
      };
    },
  }),
  operation({
    name: 'quarantine.release',
    summary:
      'Shows an event in quarantine to our people as it is. Clients that have it already show it when they load the history again.',
    roles: ['security'],
    params: { event_id: Type.String({ description: 'As `quarantine.list` gives it.' }) },
    result: Type.Object({ event_id: Type.String() }),
    http: { method: 'POST', path: '/quarantine/:event_id/release' },
    audit: 'own',
    needs: 'running island',
    subject: ({ event_id }) => event_id,
    async run({ island }, { event_id }, caller) {
      const isReleased = await island.engine.release(event_id, (room) =>
        done('quarantine.release', caller, event_id, { room }),
      );
      if (!isReleased) throw new AdminError(`${event_id} is not in quarantine`, { kind: 'not-found' });
      return { event_id };
    },
  }),
] as const;
