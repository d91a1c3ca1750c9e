import assert from 'node:assert/strict';
import type { JsonObject } from '../../../protocol/json.ts';
import { alice, bob, carol, mod } from '../../support/auth-room.ts';
import { type Branch, StateGraph } from '../../support/state-graph.ts';

const dave = '@dave:four.test';

/** A public room that Alice made; the moderator, Bob and Carol are joined. */
function roomOf(version: '10' | '11' | '12', users: JsonObject = {}, levels: JsonObject = {}): Branch {
  const graph = new StateGraph(version);
  const main = graph.start(alice, { users: graph.users(alice, users), ...levels });
  for (const user of [mod, bob, carol]) main.member(`join ${user}`, user, 'join');
  return main;
}

/** What the room is like after two branches, whichever of them is taken first. */
function merged(a: Branch, b: Branch) {
  const { graph } = a;
  const state = graph.resolve(a, b);
  assert.deepEqual(new Map(graph.resolve(b, a)), new Map(state));
  return {
    at: (type: string, stateKey = '') => graph.at(state, type, stateKey),
    membership: (userId: string) => {
      const id = graph.at(state, 'm.room.member', userId);
      return id === undefined ? undefined : graph.events.get(id)?.pdu.content['membership'];
    },
    state,
  };
}

for (const version of ['10', '11', '12'] as const) {
  describe(`state resolution in room version ${version}`, () => {
    const users = (graph: StateGraph, others: JsonObject): JsonObject => graph.users(alice, others);

    it('lets a ban win over what the banned did meanwhile, whatever the times', () => {
      const a = roomOf(version, { [mod]: 50 });
      const b = a.fork();
      a.member('ban', mod, 'ban', alice, 900);
      b.topic('evil topic', mod, 100);
      b.member('evil name', mod, 'join', mod, 101);
      b.powerLevels('evil levels', mod, { users: users(a.graph, { [mod]: 50, [bob]: 50 }) }, 102);
      b.member('evil kick', carol, 'leave', mod, 103);
      b.topic('evil topic by Bob', bob, 104);
      const { at, membership } = merged(a, b);
      assert.equal(membership(mod), 'ban');
      assert.equal(at('m.room.topic'), undefined);
      assert.equal(at('m.room.power_levels'), '$levels');
      assert.equal(membership(carol), 'join');
    });

    it('keeps what the banned did before, and what others did meanwhile', () => {
      const a = roomOf(version, { [mod]: 50, [bob]: 50 });
      a.topic('before', mod);
      const b = a.fork();
      a.member('ban', mod, 'ban', alice);
      b.add('name', { type: 'm.room.name', sender: bob, content: {} });
      const { at } = merged(a, b);
      assert.equal(at('m.room.topic'), '$before');
      assert.equal(at('m.room.name'), '$name');
    });

    it('lets a demotion win over what the demoted did meanwhile', () => {
      const a = roomOf(version, { [mod]: 50 });
      const b = a.fork();
      a.powerLevels('demotion', alice, { users: users(a.graph, {}) }, 900);
      b.powerLevels('promotion', mod, { users: users(a.graph, { [mod]: 50, [bob]: 50 }) }, 100);
      b.topic('by Bob', bob, 101);
      b.topic('by the moderator', mod, 102);
      const { at } = merged(a, b);
      assert.equal(at('m.room.power_levels'), '$demotion');
      assert.equal(at('m.room.topic'), undefined);
    });

    it('takes the later of two changes of the levels that do not exclude each other', () => {
      const a = roomOf(version, { [mod]: 50, [bob]: 50 });
      const b = a.fork();
      const all = users(a.graph, { [mod]: 50, [bob]: 50 });
      a.powerLevels('z first', mod, { users: all, ban: 10 }, 100);
      b.powerLevels('a second', bob, { users: all, kick: 10 }, 101);
      assert.equal(merged(a, b).at('m.room.power_levels'), '$a second');
    });

    it('goes by the id where power and time are the same', () => {
      const a = roomOf(version, { [mod]: 50, [bob]: 50 });
      const b = a.fork();
      const all = users(a.graph, { [mod]: 50, [bob]: 50 });
      a.powerLevels('b', mod, { users: all, ban: 10 }, 100);
      b.powerLevels('a', bob, { users: all, kick: 10 }, 100);
      assert.equal(merged(a, b).at('m.room.power_levels'), '$b');
    });

    it('takes the topic that stands on the newer power levels, although the other one is younger', () => {
      const a = roomOf(version, { [mod]: 50 });
      const b = a.fork();
      a.powerLevels('levels 2', alice, { users: users(a.graph, { [mod]: 50 }), ban: 60 });
      a.topic('on levels 2', mod, 10);
      b.topic('on levels', mod, 9000);
      assert.equal(merged(a, b).at('m.room.topic'), '$on levels 2');
    });

    it('takes the younger topic on the same power levels, and the greater id at the same time', () => {
      const a = roomOf(version, { [mod]: 50 });
      const b = a.fork();
      const c = a.fork();
      a.topic('z', mod, 100);
      b.topic('a', mod, 101);
      c.topic('b', mod, 101);
      assert.equal(merged(a, b).at('m.room.topic'), '$a');
      assert.equal(merged(b, c).at('m.room.topic'), '$b');
      assert.equal(a.graph.at(a.graph.resolve(a, b, c), 'm.room.topic'), '$b');
    });

    it('does not let in who joined while the room was closed', () => {
      const a = roomOf(version);
      const b = a.fork();
      a.joinRule('closed', alice, 'invite', 900);
      b.member('join dave', dave, 'join', dave, 100);
      const { at, membership } = merged(a, b);
      assert.equal(at('m.room.join_rules'), '$closed');
      assert.equal(membership(dave), undefined);
    });

    it('lets in who was invited while the room was closed', () => {
      const a = roomOf(version);
      const b = a.fork();
      a.joinRule('closed', alice, 'invite', 900);
      b.member('invite dave', dave, 'invite', bob, 100);
      b.member('join dave', dave, 'join', dave, 101);
      assert.equal(merged(a, b).membership(dave), 'join');
    });

    it('keeps one entry that only one branch has', () => {
      const a = roomOf(version);
      const b = a.fork();
      a.topic('topic', alice);
      b.member('join dave', dave, 'join');
      const { at, membership } = merged(a, b);
      assert.equal(at('m.room.topic'), '$topic');
      assert.equal(membership(dave), 'join');
    });

    it('lets the more powerful of two win who ban each other', () => {
      const a = roomOf(version, { [mod]: 60, [bob]: 50 });
      const b = a.fork();
      a.member('ban of Bob', bob, 'ban', mod, 900);
      b.member('ban of Carol', carol, 'ban', bob, 100);
      b.member('Bob leaves', bob, 'leave', bob, 101);
      const { membership } = merged(a, b);
      assert.equal(membership(bob), 'ban');
      assert.equal(membership(carol), 'join');
    });

    it('does not take a join for granted whose authorising user was demoted meanwhile', () => {
      const a = roomOf(version, { [mod]: 50 }, { invite: 50 });
      a.joinRule('restricted', alice, 'restricted');
      const b = a.fork();
      a.powerLevels('demotion', alice, { users: users(a.graph, {}), invite: 50 }, 900);
      const content = { membership: 'join', join_authorised_via_users_server: mod };
      b.add('join dave', { type: 'm.room.member', sender: dave, stateKey: dave, content, at: 100 });
      assert.equal(merged(a, b).membership(dave), undefined);
    });

    it('does without power levels where the room has none', () => {
      const graph = new StateGraph(version);
      const a = graph.start(alice, { users: graph.users(alice) });
      // As a room is whose creator never sent any.
      for (const key of a.state.keys()) if (key.includes('power_levels')) a.state.delete(key);
      const b = a.fork();
      a.topic('a', alice, 100);
      b.topic('b', alice, 101);
      const { at } = merged(a, b);
      assert.equal(at('m.room.topic'), '$b');
      assert.equal(at('m.room.power_levels'), undefined);
    });

    it('uses an event that was rejected at its place if the resolved state allows it', () => {
      const a = roomOf(version, { [mod]: 50 });
      const b = a.fork();
      a.topic('topic', mod);
      const event = b.make('rejected topic', { type: 'm.room.topic', sender: mod, content: {}, at: 900 });
      a.graph.events.set(event.eventId, { ...event, rejected: true });
      for (const [key, id] of a.state) if (id === '$topic') b.state.set(key, event.eventId);
      assert.equal(merged(a, b).at('m.room.topic'), '$rejected topic');
    });

    it('does not take an auth event that was rejected in place of what the state lacks', () => {
      for (const isRejected of [false, true]) {
        const a = roomOf(version, { [mod]: 50 });
        const { graph } = a;
        a.member('rejoin', mod, 'join');
        // Both states have something that stands on the membership, so that it is not in the auth difference.
        a.add('name', { type: 'm.room.name', sender: mod, content: {} });
        const b = a.fork();
        const rejoin = graph.events.get('$rejoin');
        assert.ok(rejoin);
        graph.events.set('$rejoin', { ...rejoin, rejected: isRejected });
        a.topic('topic', mod);
        // The moderator's membership is in neither state: the topic's own auth event has to serve.
        for (const { state } of [a, b]) for (const [key] of state) if (key.endsWith(mod)) state.delete(key);
        assert.equal(merged(a, b).at('m.room.topic'), isRejected ? undefined : '$topic');
      }
    });

    it('ignores events that are not held, and those that are not state', () => {
      const a = roomOf(version);
      const { graph } = a;
      const b = a.fork();
      a.topic('topic', alice);
      b.topic('lost', alice);
      graph.events.delete('$lost');
      assert.equal(merged(a, b).at('m.room.topic'), '$topic');
      const c = a.fork();
      c.topic('message', alice);
      const message = graph.events.get('$message');
      assert.ok(message);
      const { state_key: _, ...pdu } = message.pdu;
      graph.events.set('$message', { ...message, pdu: pdu as typeof message.pdu });
      assert.equal(merged(a, c).at('m.room.topic'), '$topic');
    });

    it('gives one state back as it is, and no state for none', () => {
      const a = roomOf(version);
      assert.deepEqual(a.graph.resolve(a), a.state);
      assert.deepEqual(a.graph.resolve(a, a.fork()), a.state);
      assert.equal(a.graph.resolve().size, 0);
    });
  });
}

describe('state resolution v2.1 beside v2', () => {
  /**
   * Alice closes the room and leaves; the two branches disagree about the rule, and agree that she has left. Only
   * from an empty state, with her membership of then from the auth events, may the rule be set again.
   */
  function creatorLeft(version: '11' | '12') {
    const a = roomOf(version, { [mod]: 50 });
    const b = a.fork();
    a.joinRule('closed', alice, 'invite');
    a.member('leave', alice, 'leave');
    // A server that lost the rule, as after a resolution gone wrong.
    for (const [key, id] of a.state) if (id === '$leave') b.state.set(key, id);
    return merged(a, b);
  }

  it('starts from an empty state: what the unconflicted state forbids today was right once', () => {
    assert.equal(creatorLeft('11').at('m.room.join_rules'), undefined);
    assert.equal(creatorLeft('12').at('m.room.join_rules'), '$closed');
    assert.equal(creatorLeft('12').membership(alice), 'leave');
  });

  /**
   * One server is back at the first power levels; the other has the third, which only the second ones, between the
   * two and in neither state, allow.
   */
  function resetLevels(version: '11' | '12') {
    const a = roomOf(version);
    const { graph } = a;
    const b = a.fork();
    a.powerLevels('levels 2', alice, { users: graph.users(alice, { [mod]: 50 }) });
    a.powerLevels('levels 3', mod, { users: graph.users(alice, { [mod]: 50, [bob]: 50 }) });
    // So that the second levels are in the auth chains of both states.
    a.topic('topic', bob);
    for (const [key, id] of a.state) if (id === '$topic') b.state.set(key, id);
    return merged(a, b);
  }

  it('takes in what lies between conflicting events, and so does not fall back to the oldest', () => {
    assert.equal(resetLevels('11').at('m.room.power_levels'), '$levels');
    assert.equal(resetLevels('12').at('m.room.power_levels'), '$levels 3');
  });

  it('leaves in place what was never in conflict, even where what is in conflict would replace it', () => {
    for (const version of ['11', '12'] as const) {
      const a = roomOf(version, { [carol]: 50 });
      const b = a.fork();
      a.member('renamed', carol, 'join');
      // Brings the new membership into the auth difference.
      a.topic('topic', carol);
      for (const [key, id] of a.state) if (id === '$renamed') a.state.set(key, `$join ${carol}`);
      const { at } = merged(a, b);
      assert.equal(at('m.room.topic'), '$topic');
      assert.equal(at('m.room.member', carol), `$join ${carol}`);
    }
  });

  it('orders the changes of several creators by time, before those of everybody else', () => {
    const graph = new StateGraph('12');
    const a = graph.start(alice, { users: { [mod]: Number.MAX_SAFE_INTEGER } }, 'public', {
      additional_creators: [bob],
    });
    for (const user of [mod, bob]) a.member(`join ${user}`, user, 'join');
    const b = a.fork();
    const c = a.fork();
    a.powerLevels('by Alice', alice, { users: { [mod]: 0 } }, 900);
    b.powerLevels('by Bob', bob, { users: { [mod]: 7 } }, 901);
    c.powerLevels('by the moderator', mod, { users: { [mod]: Number.MAX_SAFE_INTEGER, [carol]: 100 } }, 100);
    assert.equal(merged(a, b).at('m.room.power_levels'), '$by Bob');
    assert.equal(merged(a, c).at('m.room.power_levels'), '$by Alice');
    assert.equal(graph.at(graph.resolve(a, b, c), 'm.room.power_levels'), '$by Bob');
  });
});
