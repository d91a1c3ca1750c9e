import assert from 'node:assert/strict';
import { alice, bob, mod } from '../support/auth-room.ts';
import { type Branch, StateGraph } from '../support/state-graph.ts';

/** Two branches of so many power levels each, and beside them so many other entries in conflict. */
function race(version: '11' | '12', depth: number): [Branch, Branch] {
  const graph = new StateGraph(version);
  const users = graph.users(alice, { [mod]: 50, [bob]: 50 });
  const main = graph.start(alice, { users });
  main.member('join mod', mod, 'join');
  main.member('join bob', bob, 'join');
  const branches: [Branch, Branch] = [main, main.fork()];
  branches.forEach((branch, index) => {
    const sender = index === 0 ? mod : bob;
    for (let i = 0; i < depth; i += 1) {
      branch.powerLevels(`levels ${index} ${i}`, sender, { users, kick: (i % 2) + index });
      // An entry of its own, and one that both have: what is in conflict is as wide as the chain is deep.
      branch.add(`own ${index} ${i}`, { type: 'x', stateKey: `${index} ${i}`, sender, content: {} });
      branch.add(`shared ${index} ${i}`, { type: 'x', stateKey: `${i}`, sender, content: {} });
    }
  });
  return branches;
}

for (const version of ['11', '12'] as const) {
  describe(`state resolution of large graphs in room version ${version}`, () => {
    /** How often the algorithm asks for an event, and what it gives. */
    function measure(depth: number) {
      const [a, b] = race(version, depth);
      a.graph.loads = 0;
      const state = a.graph.resolve(a, b);
      return { loads: a.graph.loads, state, graph: a.graph };
    }

    it('takes no more than twice the work for twice the room', () => {
      const small = measure(1_250);
      const large = measure(2_500);
      assert.equal(large.graph.at(large.state, 'm.room.power_levels'), '$levels 1 2499');
      assert.ok(large.graph.events.size > 15_000);
      assert.ok(large.loads < small.loads * 2.1, `${small.loads} loads became ${large.loads}`);
    });

    it('follows one chain of 12,000 events to its start', () => {
      const graph = new StateGraph(version);
      const users = graph.users(alice);
      const a = graph.start(alice, { users });
      const b = a.fork();
      for (let i = 0; i < 12_000; i += 1) a.powerLevels(`levels ${i}`, alice, { users, kick: i % 2 });
      a.topic('new', alice, 1);
      b.topic('old', alice, 2);
      const state = graph.resolve(a, b);
      assert.equal(graph.at(state, 'm.room.topic'), '$new');
      assert.equal(graph.at(state, 'm.room.power_levels'), '$levels 11999');
    });

    it('resolves 500 states that each have something of their own', () => {
      const graph = new StateGraph(version);
      const start = graph.start(alice, { users: graph.users(alice) });
      const branches = Array.from({ length: 500 }, (_, i) => {
        const branch = start.fork();
        branch.add(`own ${i}`, { type: 'x', stateKey: String(i), sender: alice, content: {} });
        branch.topic(`topic ${i}`, alice, i);
        return branch;
      });
      const state = graph.resolve(...branches);
      assert.equal(graph.at(state, 'm.room.topic'), '$topic 499');
      for (let i = 0; i < 500; i += 1) assert.equal(graph.at(state, 'x', String(i)), `$own ${i}`);
    });
  });
}
