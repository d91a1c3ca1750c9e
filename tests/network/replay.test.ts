import assert from 'node:assert/strict';
import { replayDecision } from '../../federation/border/replay.ts';
import { PartnerRegistry } from '../../federation/partners/registry.ts';
import type { PartnerPolicy } from '../../policy/partner-policy.ts';
import { isObject, type JsonValue } from '../../protocol/json.ts';
import type { DecisionRecord } from '../../storage/stores/decision-store.ts';
import { ok, v3 } from '../support/client.ts';
import { drawPolicy, openPolicy } from '../support/explained/policies.ts';
import { ExplainedStage } from '../support/explained/stage.ts';
import { realClock } from '../support/runtime.ts';
import { Seeded } from '../support/seeded.ts';

describe('a replay of recorded decisions', function () {
  this.timeout(60_000);

  let stage: ExplainedStage;

  before(async () => {
    stage = await ExplainedStage.open();
  });

  after(() => stage.stop());

  let count = 0;

  /** The same each time: the facts of each question are those of the time before. */
  async function doEverything(): Promise<void> {
    const [li, ann] = stage.ours;
    const [bo] = stage.theirs;
    for (const client of [li, ann, bo])
      for (const { roomId } of stage.rooms) {
        for (const type of ['m.room.message', 'org.example.order']) {
          count += 1;
          await client.put(v3`/rooms/${roomId}/send/${type}/${`replay${count}`}`, {
            body: 'x',
            msgtype: 'm.text',
          });
        }
        const typing = v3`/rooms/${roomId}/typing/${client.userId}`;
        await ok(client.put(typing, { typing: true, timeout: 30_000 }));
        await ok(client.put(typing, { typing: false }));
      }
    for (const client of [li, ann])
      await client.post(v3`/createRoom`, { invite: [bo.userId], preset: 'private_chat' });
    await bo.get(v3`/profile/${li.userId}`);
    await li.get(v3`/profile/${bo.userId}`);
    await stage.network.settled();
  }

  async function recorded(since: number): Promise<DecisionRecord[]> {
    const { journal, db } = stage.network.island('acme.test').homeserver;
    await journal.flush();
    const all: DecisionRecord[] = [];
    for (;;) {
      const page = await db.decisions.page(since, all.at(-1)?.digest);
      if (page.length === 0) return all;
      all.push(...page);
    }
  }

  function codesOf(violations: readonly { readonly code: string }[]): string {
    return [...new Set(violations.map(({ code }) => code))].sort().join(' ');
  }

  function recordedCodes(record: DecisionRecord): string {
    return codesOf(
      record.violations.map((entry) => ({ code: String(isObject(entry) ? entry['code'] : '') })),
    );
  }

  function keyOf(question: JsonValue): string {
    return JSON.stringify(question, (_key, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
    );
  }

  /** What a draft makes of each question, by the replay. */
  function predict(policy: PartnerPolicy, records: readonly DecisionRecord[]): Map<string, string> {
    const partners = stage.network.island('acme.test').partners.map((entry) => ({ ...entry, policy }));
    const draft = new PartnerRegistry({ serverName: 'acme.test', clock: realClock, partners });
    return new Map(
      records.map((record) => {
        const changed = replayDecision(draft, record, realClock.now());
        return [keyOf(record.question), changed === undefined ? recordedCodes(record) : codesOf(changed.to)];
      }),
    );
  }

  it('gives exactly the decisions that the draft makes when it is loaded', async () => {
    const random = new Seeded(7);
    const begun = Date.now();
    await doEverything();
    const before = await recorded(begun);
    assert.ok(before.length > 25, `only ${before.length} decisions are recorded`);
    assert.ok(before.every(({ violations }) => violations.length === 0));
    let changes = 0;
    for (let index = 0; index < 8; index += 1) {
      const draft = drawPolicy(random);
      const predicted = predict(draft, before);
      stage.setPolicy(draft);
      await new Promise((resolve) => setTimeout(resolve, 2)); // Another millisecond: times tell the rounds apart.
      const since = Date.now();
      await doEverything();
      const after = await recorded(since);
      const asked = after.filter(({ question }) => predicted.has(keyOf(question)));
      for (const record of asked) {
        const codes = recordedCodes(record);
        assert.equal(
          codes,
          predicted.get(keyOf(record.question)),
          `${keyOf(record.question)} ${JSON.stringify(draft)}`,
        );
        if (codes !== '') changes += 1;
      }
      // All that depends on nothing else was asked again.
      assert.ok(asked.length >= before.length * 0.9, `${asked.length} of ${before.length}`);
      stage.setPolicy(openPolicy);
    }
    assert.ok(changes > 50, `only ${changes} decisions changed`);
  });
});
