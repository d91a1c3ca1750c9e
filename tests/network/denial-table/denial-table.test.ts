import assert from 'node:assert/strict';
import { TestNetwork } from '../../support/test-network.ts';
import { deeds } from './deeds.ts';
import { Stage, type Transport } from './stage.ts';
import { denialTable } from './table.ts';

/** Each of them runs the whole table: whatever one of them lets through and the table does not say, fails. */
const transports: readonly Transport[] = [{ name: 'link', start: (names) => TestNetwork.paired(names) }];

for (const transport of transports)
  describe(`What may cross the border, over the transport ${transport.name}`, () => {
    let stage: Stage;

    before(async () => {
      stage = await Stage.open(transport);
    });

    afterEach(() => stage.reset());

    after(() => stage.stop());

    for (const [part, rows] of Object.entries(denialTable))
      describe(part, () => {
        for (const { policy, theirs = {}, deed, ...expected } of rows)
          for (const direction of ['outbound', 'inbound'] as const) {
            const outcome = expected[direction];
            if (outcome === undefined) continue;
            const says = [policy, theirs].map((raw) => JSON.stringify(raw)).join(' and theirs ');
            it(`${says}: ${direction === 'outbound' ? 'ours' : 'theirs'} ${deed}: ${outcome}`, async () => {
              const act = await deeds[deed](stage, stage[direction]);
              stage.reset(policy, theirs);
              assert.equal(await act(), outcome);
            });
          }
      });
  });
