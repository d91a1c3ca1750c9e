import assert from 'node:assert/strict';
import { Campaign } from './support/campaign.ts';
import { planOf } from './support/plan.ts';
import { type Mutation, ProductCopy } from './support/product-copy.ts';

/** The mistakes for which the fault suite is there, as changes of the source. */
const mutations: readonly {
  readonly name: string;
  readonly changes: readonly Mutation[];
  /** How it shows. */
  readonly symptom: RegExp;
  /** Plans of the suite that kill where it hurts. */
  readonly seeds: readonly number[];
}[] = [
  {
    name: 'acknowledging a transaction before it is staged',
    changes: [
      {
        file: 'federation/inbound/inbound.ts',
        text: 'await inbox.stage({',
        replacement: 'const stage = () => inbox.stage({',
      },
      {
        file: 'federation/inbound/inbound.ts',
        text: `failPoint('staged');
    processor.take(rows);`,
        replacement: `setImmediate(() => {
      stage().then(() => {
        failPoint('staged');
        processor.take(rows);
      }, () => undefined);
    });`,
      },
    ],
    symptom: /the partner has less than it acknowledged/,
    seeds: [3, 8, 13, 18],
  },
  {
    name: 'putting an event into the outbox after its transaction',
    changes: [
      {
        file: 'rooms/change.ts',
        text: '.submit({ label, ops, notes: this.notes,',
        replacement: ".submit({ label, ops: ops.filter((op) => op.table !== 'outbox'), notes: this.notes,",
      },
      {
        file: 'rooms/change.ts',
        text: `        (committed) => {
          room.writes.delete(write);`,
        replacement: `        async (committed) => {
          const late = ops.filter((op) => op.table === 'outbox');
          if (late.length > 0) await ctx.db.writer.submit({ label, ops: late, notes: this.notes });
          room.writes.delete(write);`,
      },
    ],
    symptom: /does not have \$/,
    seeds: [0, 5, 10, 15],
  },
  {
    name: 'remembering a transaction id after its event',
    changes: [
      {
        file: 'rooms/send.ts',
        text: '  if (txn !== undefined) also.push(...ctx.store.txnOps(request.sender, txn, event.eventId, ctx.clock.now()));',
        replacement: `  if (txn !== undefined) {
    const ops = ctx.store.txnOps(request.sender, txn, event.eventId, ctx.clock.now());
    const stored = change.commit('local event', also);
    return { result: event, written: stored.then(() => ctx.db.writer.submit({ label: 'id', ops })).then(() => {}) };
  }`,
      },
    ],
    symptom: /\d+ requests of .* made \d+ events/,
    seeds: [0, 5, 10, 15],
  },
];

describe('The fault suite', () => {
  for (const { name, changes, symptom, seeds } of mutations)
    it(`sees ${name}`, async () => {
      const copy = await ProductCopy.make(changes);
      try {
        let found: readonly string[] = [];
        for (const seed of seeds) {
          found = (await Campaign.run(copy.entry, planOf(seed))).violations;
          if (found.some((violation) => symptom.test(violation))) return;
        }
        assert.fail(`nothing of ${symptom} was seen, and last this: ${found.join('\n')}`);
      } finally {
        await copy.remove();
      }
    });
});
