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
        for (const { deed, outbound, inbound, ...narrowing } of rows)
          for (const direction of ['outbound', 'inbound'] as const) {
            const outcome = { outbound, inbound }[direction];
            if (outcome === undefined) continue;
            it(`${JSON.stringify(narrowing)}: ${direction === 'outbound' ? 'ours' : 'theirs'} ${deed}: ${outcome}`, async () => {
              const act = await deeds[deed](stage, stage[direction]);
              await stage.reset(narrowing);
              assert.equal(await act(), outcome);
            });
          }
      });
  });
