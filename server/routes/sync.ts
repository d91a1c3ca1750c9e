import Type from 'typebox';
import { invalidParam } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { type JsonValue, parseJson } from '../../protocol/json.ts';
import { isSyncFilter, type SyncFilter } from '../event-filter.ts';
import { parseSyncToken } from '../sync/token.ts';
import { requireSelf } from './account-data.ts';
import type { ClientApiDeps } from './deps.ts';

const maxTimeoutMs = 120_000;

const Receipt = Type.Object({ thread_id: Type.Optional(Type.String()) });
const ReadMarkers = Type.Object({
  'm.fully_read': Type.Optional(Type.String()),
  'm.read': Type.Optional(Type.String()),
  'm.read.private': Type.Optional(Type.String()),
});
const Typing = Type.Object({ typing: Type.Boolean(), timeout: Type.Optional(Type.Integer()) });

const receiptTypes = ['m.read', 'm.read.private', 'm.fully_read'] as const;

/** `/sync`, and what people do that others see only there: receipts and typing. */
export function syncRoutes(deps: ClientApiDeps): Route[] {
  const { sync, receipts, typing } = deps;
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/v3/sync',
      auth: 'user',
      handler: async ({ user, query, gone }) => {
        const since = query.get('since');
        return sync.sync({
          userId: user.userId,
          deviceId: user.deviceId,
          since: since === null || since === '' ? undefined : parseSyncToken(since),
          filter: await filterOf(deps, user.userId, query.get('filter')),
          timeout: timeoutOf(query.get('timeout')),
          fullState: query.get('full_state') === 'true',
          useStateAfter: query.get('use_state_after') === 'true',
          signal: gone(),
        });
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/rooms/:roomId/receipt/:receiptType/:eventId',
      auth: 'user',
      body: Receipt,
      handler: async ({ user, params, body }) => {
        const { roomId = '', receiptType, eventId = '' } = params;
        const type = receiptTypes.find((known) => known === receiptType);
        if (type === undefined) throw invalidParam('Unknown type of receipt');
        const threadId = body.thread_id ?? '';
        const isThread = threadId === '' || threadId === 'main' || threadId.startsWith('$');
        if (!isThread || body.thread_id === '' || (type === 'm.fully_read' && threadId !== '')) {
          throw invalidParam('thread_id does not fit');
        }
        await receipts.put([{ roomId, userId: user.userId, type, eventId, threadId }]);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/rooms/:roomId/read_markers',
      auth: 'user',
      body: ReadMarkers,
      handler: async ({ user, params, body }) => {
        const roomId = params['roomId'] ?? '';
        await receipts.put(
          receiptTypes.flatMap((type) => {
            const eventId = body[type];
            return eventId === undefined
              ? []
              : [{ roomId, userId: user.userId, type, eventId, threadId: '' }];
          }),
        );
        return {};
      },
    }),
    route({
      method: 'PUT',
      path: '/_matrix/client/v3/rooms/:roomId/typing/:userId',
      auth: 'user',
      body: Typing,
      handler: async ({ user, params, body }) => {
        requireSelf(user.userId, params['userId']);
        await typing.set(params['roomId'] ?? '', user.userId, body.typing, body.timeout);
        return {};
      },
    }),
  ];
}

function timeoutOf(text: string | null): number {
  const timeout = Number(text ?? 0);
  if (!Number.isInteger(timeout) || timeout < 0)
    throw invalidParam('timeout is not a number of milliseconds');
  return Math.min(timeout, maxTimeoutMs);
}

/** A filter given in full, or the id of one that was stored. */
async function filterOf({ db }: ClientApiDeps, userId: string, text: string | null): Promise<SyncFilter> {
  if (text === null || text === '') return {};
  const json = text.startsWith('{') ? text : await db.filters.get(userId, text);
  if (json === undefined) throw invalidParam('There is no such filter');
  let value: JsonValue;
  try {
    value = parseJson(json, { numbers: 'any' });
  } catch {
    throw invalidParam('filter is not JSON');
  }
  if (!isSyncFilter(value)) throw invalidParam('filter is not a filter');
  return value;
}
