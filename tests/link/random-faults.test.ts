import assert from 'node:assert/strict';
import { Seeded } from '../support/seeded.ts';
import { quiet, twoIslands, until } from './support.ts';

describe('link: random faults', () => {
  for (const seed of [1, 2, 3])
    it(`both ends find each other again, and answers belong to their questions (seed ${seed})`, async () => {
      const choices = new Seeded(seed);
      const random = () => choices.next();
      const { acme, bolt, clock, close } = await twoIslands({ dial: 'both' });
      try {
        for (const island of [acme, bolt])
          island.handler = async (request) => {
            const body = await request.body(1_000_000);
            if (random() < 0.3) await quiet(Math.floor(random() * 10));
            return { status: 200, body: Buffer.concat([Buffer.from(request.uri), body]) };
          };
        acme.manager.start();
        bolt.manager.start();
        const results: Promise<'answered' | 'failed'>[] = [];
        for (let step = 0; step < 150; step += 1) {
          const [from, to] = random() < 0.5 ? [acme, bolt] : [bolt, acme];
          const fate = random();
          if (fate < 0.1) from.manager.cut(to.name);
          else if (fate < 0.14) from.manager.cut(to.name, { hold: true });
          else if (fate < 0.25) from.manager.mend(to.name);
          else {
            const body = Buffer.alloc(Math.floor(random() ** 4 * 800_000), step);
            const uri = `/${step}`;
            const asked = from.manager
              .request(
                to.name,
                { method: 'PUT', uri, body, priority: 'pdu', deadlineMs: 30_000 },
                { waitMs: 3_000 },
              )
              .then((response) => response.body())
              .then((answer) => {
                assert.ok(answer.equals(Buffer.concat([Buffer.from(uri), body])), `the answer to ${uri}`);
                return 'answered' as const;
              });
            results.push(
              asked.catch((error: unknown) => {
                if (error instanceof assert.AssertionError) throw error;
                return 'failed' as const;
              }),
            );
          }
          clock.advance(Math.floor(random() * 400));
          await quiet(Math.floor(random() * 12));
        }
        acme.manager.mend('bolt.test');
        bolt.manager.mend('acme.test');
        await until(() => {
          clock.advance(20);
          return acme.isUp('bolt.test') && bolt.isUp('acme.test');
        });
        let left = results.length;
        for (const result of results)
          void result.finally(() => {
            left -= 1;
          });
        while (left > 0) {
          clock.advance(100);
          await quiet(4);
        }
        const outcomes = await Promise.all(results);
        assert.ok(outcomes.filter((outcome) => outcome === 'answered').length > 20);
        await until(() => acme.isUp('bolt.test') && bolt.isUp('acme.test'));
      } finally {
        await close();
      }
    });
});
