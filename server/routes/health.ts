import type { Logger } from 'pino';
import { Reply, type Route, route } from '../../http/route.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { Database } from '../../storage/database.ts';

/** A database that has not answered by then counts as gone. */
const patienceMs = 3_000;

/** For load balancers and supervisors: 200 only while the database answers. */
export function healthRoutes(deps: {
  readonly db: Pick<Database, 'metadata'>;
  readonly clock: Clock;
  readonly log: Logger;
}): Route[] {
  return [
    route({
      method: 'GET',
      path: '/_archipelago/health',
      auth: 'none',
      handler: async () =>
        (await doesAnswer(deps))
          ? new Reply(200, { status: 'ok' }, notKept)
          : new Reply(503, { status: 'unavailable' }, notKept),
    }),
  ];
}

const notKept = { 'Cache-Control': 'no-store' };

async function doesAnswer({ db, clock, log }: Parameters<typeof healthRoutes>[0]): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(patienceMs, () => resolve(false));
    db.metadata
      .get('server_name')
      .then(
        () => resolve(true),
        (err: unknown) => {
          log.error({ err }, 'the database does not answer');
          resolve(false);
        },
      )
      .finally(() => timer.cancel());
  });
}
