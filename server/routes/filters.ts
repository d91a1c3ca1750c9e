import { createHash } from 'node:crypto';
import Type from 'typebox';
import { badJson, notFound } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import type { JsonValue } from '../../protocol/json.ts';
import { isSyncFilter } from '../event-filter.ts';
import { requireSelf } from './account-data.ts';
import type { ClientApiDeps } from './deps.ts';

/** Filters that clients keep with us. */
export function filterRoutes({ db }: ClientApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/_matrix/client/v3/user/:userId/filter',
      auth: 'user',
      body: Type.Object({}),
      handler: async ({ user, params, body }) => {
        requireSelf(user.userId, params['userId']);
        if (!isSyncFilter(body)) throw badJson('Not a filter');
        const json = JSON.stringify(body);
        // Named by its content: a client that uploads the same filter at every start makes one row.
        const filterId = createHash('sha256').update(json).digest('hex').slice(0, 16);
        await db.writer.submit({ label: 'filter', ops: db.filters.put(user.userId, filterId, json) });
        return { filter_id: filterId };
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/user/:userId/filter/:filterId',
      auth: 'user',
      handler: async ({ user, params }) => {
        requireSelf(user.userId, params['userId']);
        const json = await db.filters.get(user.userId, params['filterId'] ?? '');
        if (json === undefined) throw notFound('There is no such filter');
        return JSON.parse(json) as JsonValue;
      },
    }),
  ];
}
