import assert from 'node:assert/strict';
import {
  byMainline,
  byPower,
  isPowerEvent,
  powerEvents,
} from '../../../protocol/state-resolution/ordering.ts';
import { AuthRoom, alice, bob, carol, mod } from '../../support/auth-room.ts';
import { type Branch, type StateEvent, StateGraph } from '../../support/state-graph.ts';

const versions = ['10', '11', '12'] as const;

function roomOf(version: (typeof versions)[number], others = {}, content = {}): Branch {
  const graph = new StateGraph(version);
  const main = graph.start(alice, { users: graph.users(alice, others) }, 'public', content);
  for (const user of [mod, bob, carol]) main.member(`join ${user}`, user, 'join');
  return main;
}

/** Events side by side: none has another one among its auth events. */
function beside(main: Branch, events: Readonly<Record<string, StateEvent>>): Set<string> {
  return new Set(Object.entries(events).map(([name, event]) => main.fork().add(name, event)));
}

const rule = (sender: string, at: number): StateEvent => ({
  type: 'm.room.join_rules',
  sender,
  content: { join_rule: 'knock' },
  at,
});

describe('power events', () => {
  it('are power levels, join rules, and what removes somebody else', () => {
    const room = new AuthRoom('12');
    const is = (type: string, sender: string, stateKey: string | undefined, membership = ''): boolean =>
      isPowerEvent(room.event(type, sender, { membership }, stateKey === undefined ? {} : { stateKey }));
    assert.equal(is('m.room.power_levels', alice, ''), true);
    assert.equal(is('m.room.join_rules', alice, ''), true);
    assert.equal(is('m.room.member', alice, bob, 'leave'), true);
    assert.equal(is('m.room.member', alice, bob, 'ban'), true);
    assert.equal(is('m.room.member', bob, bob, 'leave'), false);
    assert.equal(is('m.room.member', alice, bob, 'invite'), false);
    assert.equal(is('m.room.member', bob, bob, 'join'), false);
    assert.equal(is('m.room.topic', alice, ''), false);
    assert.equal(is('m.room.create', alice, ''), false);
    assert.equal(is('m.room.power_levels', alice, undefined), false);
  });

  it('bring along what of their auth chains is in conflict, and nothing else', () => {
    const main = roomOf('12', { [mod]: 50 });
    const { graph } = main;
    const topic = main.topic('topic', alice);
    const renamed = main.member('renamed', mod, 'join');
    const again = main.member('again', mod, 'join');
    const kick = main.member('kick', bob, 'leave', mod);
    const chosen = powerEvents(new Set([topic, renamed, kick, '$lost']), graph.load);
    assert.deepEqual(chosen, new Set([kick, renamed]));
    assert.ok(graph.events.get(kick)?.pdu.auth_events.includes(again));
  });
});

for (const version of versions) {
  describe(`the reverse topological power ordering in room version ${version}`, () => {
    const order = (main: Branch, ids: ReadonlySet<string>) =>
      byPower(ids, main.graph.version, main.graph.load).map((event) => event.eventId);

    it('puts the sender of greater power first, whatever the time', () => {
      const main = roomOf(version, { [mod]: 50, [bob]: 99 });
      const ids = beside(main, { a: rule(mod, 1), b: rule(bob, 500), c: rule(alice, 1000) });
      assert.deepEqual(order(main, ids), ['$c', '$b', '$a']);
    });

    it('goes by time where the power is the same, and by the id where the time is too', () => {
      const main = roomOf(version, { [mod]: 50, [bob]: 50 });
      const ids = beside(main, {
        z: rule(mod, 7),
        y: rule(bob, 7),
        B: rule(mod, 7),
        x: rule(bob, 6),
        a: rule(mod, 8),
      });
      assert.deepEqual(order(main, ids), ['$x', '$B', '$y', '$z', '$a']);
    });

    it('never puts an event before one of its auth events, however powerful the sender', () => {
      const main = roomOf(version, { [mod]: 50 });
      const content = { users: main.graph.users(alice, { [mod]: 50 }) };
      const first = main.powerLevels('first', mod, content, 900);
      const second = main.powerLevels('second', alice, { ...content, ban: 60 }, 100);
      const third = main.powerLevels('third', alice, content, 50);
      const beyond = main.fork().add('beyond', rule(mod, 1));
      assert.deepEqual(order(main, new Set([beyond, third, second, first])), [first, second, third, beyond]);
    });

    it("goes by the power in the event's own auth events, not by what came later", () => {
      const main = roomOf(version, { [mod]: 50, [bob]: 60 });
      const early = main.fork();
      main.powerLevels('levels 2', alice, { users: main.graph.users(alice, { [mod]: 70, [bob]: 60 }) });
      const ids = new Set([early.add('a', rule(mod, 1)), main.add('b', rule(bob, 2))]);
      assert.deepEqual(order(main, ids), ['$b', '$a']);
      const later = new Set([main.add('c', rule(mod, 3)), '$b']);
      assert.deepEqual(order(main, later), ['$c', '$b']);
    });

    it('takes the creator for the most powerful where there are no power levels', () => {
      const main = roomOf(version);
      const withoutLevels = [...(version === '12' ? [] : ['$create']), `$join ${alice}`];
      const ids = new Set(
        [
          main.make('a', { ...rule(mod, 1), authEvents: withoutLevels }),
          main.make('b', { ...rule(alice, 2), authEvents: withoutLevels }),
        ].map((event) => main.put(event)),
      );
      assert.deepEqual(order(main, ids), ['$b', '$a']);
    });

    it('passes over events that are not held', () => {
      const main = roomOf(version);
      assert.deepEqual(order(main, new Set(['$lost', ...beside(main, { a: rule(alice, 1) })])), ['$a']);
    });

    it('sorts many events that are free at once', () => {
      const main = roomOf(version, { [mod]: 50 });
      const events: Record<string, StateEvent> = {};
      for (let i = 0; i < 50; i += 1) events[`e${i}`] = rule(i % 3 === 0 ? alice : mod, (i * 37) % 50);
      const ids = beside(main, events);
      const expected = Object.entries(events)
        .sort(
          ([, a], [, b]) =>
            Number(b.sender === alice) - Number(a.sender === alice) || (a.at ?? 0) - (b.at ?? 0),
        )
        .map(([name]) => `$${name}`);
      assert.deepEqual(order(main, ids), expected);
    });
  });

  describe(`the mainline ordering in room version ${version}`, () => {
    const topic = (at: number): StateEvent => ({ type: 'm.room.topic', sender: alice, content: {}, at });

    /** Three power levels, one after the other, and a fork from each. */
    function mainline(): { main: Branch; at: Branch[]; last: string } {
      const main = roomOf(version);
      const at = [main.fork()];
      for (const ban of [51, 52]) {
        main.powerLevels(`levels ${ban}`, alice, { users: main.graph.users(alice), ban });
        at.push(main.fork());
      }
      return { main, at, last: '$levels 52' };
    }
    const order = (main: Branch, ids: Iterable<string>, levels: string | undefined) =>
      byMainline(ids, levels, main.graph.load).map((event) => event.eventId);

    it('puts first what stands on older power levels, whatever the time', () => {
      const { main, at, last } = mainline();
      const ids = [at[2]?.add('new', topic(1)), at[0]?.add('old', topic(900)), at[1]?.add('mid', topic(500))];
      assert.deepEqual(order(main, ids.map(String), last), ['$old', '$mid', '$new']);
    });

    it('goes by time on the same power levels, and by the id at the same time', () => {
      const { main, at, last } = mainline();
      const fork = at[1];
      assert.ok(fork);
      const ids = ['c', 'b', 'a'].map((name) => fork.fork().add(name, topic(5)));
      ids.push(fork.fork().add('d', topic(4)));
      assert.deepEqual(order(main, ids, last), ['$d', '$a', '$b', '$c']);
    });

    it('takes what stands beside the mainline for as old as where it left it', () => {
      const { main, at, last } = mainline();
      const [first, second] = at;
      assert.ok(first && second);
      first.powerLevels('aside 1', alice, { users: main.graph.users(alice), kick: 9 });
      first.powerLevels('aside 2', alice, { users: main.graph.users(alice), kick: 8 });
      const ids = [
        second.add('second', topic(1)),
        first.add('first', topic(900)),
        first.fork().add('also', topic(2)),
      ];
      assert.deepEqual(order(main, ids, last), ['$also', '$first', '$second']);
    });

    it('puts what has no power levels at all before everything', () => {
      const { main, at, last } = mainline();
      const bare = main.make('bare', { ...topic(900), authEvents: [] });
      main.put(bare);
      const ids = [String(at[0]?.add('old', topic(1))), bare.eventId, '$lost'];
      assert.deepEqual(order(main, ids, last), ['$bare', '$old']);
    });

    it('goes by time alone where the room has no power levels', () => {
      const { main, at } = mainline();
      const ids = [at[2]?.add('new', topic(1)), at[0]?.add('old', topic(900))];
      assert.deepEqual(order(main, ids.map(String), undefined), ['$new', '$old']);
    });

    it('gives power levels the place of those that they stand on', () => {
      const { main, last } = mainline();
      assert.deepEqual(order(main, ['$levels 52', '$levels 51', '$levels'], last), [
        '$levels',
        '$levels 51',
        '$levels 52',
      ]);
    });

    it('comes to an end where the auth events form a cycle', () => {
      const { main, last } = mainline();
      const levels: StateEvent = { type: 'm.room.power_levels', sender: alice, content: {} };
      main.put(main.make('ring 1', { ...levels, authEvents: ['$ring 2'] }));
      main.put(main.make('ring 2', { ...levels, authEvents: ['$ring 1'] }));
      const caught = main.make('caught', { ...topic(1), authEvents: ['$ring 1'] });
      main.put(caught);
      assert.deepEqual(order(main, [caught.eventId, '$ring 2'], last), ['$caught', '$ring 2']);
    });
  });
}

describe('the power of creators in room version 12', () => {
  it('comes before the highest level, and is the same for all of them', () => {
    const main = roomOf('12', { [mod]: Number.MAX_SAFE_INTEGER }, { additional_creators: [bob] });
    const ids = beside(main, {
      a: rule(mod, 1),
      b: rule(alice, 900),
      c: rule(bob, 800),
      d: rule(alice, 800),
    });
    const order = byPower(ids, main.graph.version, main.graph.load).map((event) => event.eventId);
    assert.deepEqual(order, ['$c', '$d', '$b', '$a']);
  });
});
