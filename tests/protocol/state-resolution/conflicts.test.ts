import assert from 'node:assert/strict';
import type { StateMap } from '../../../protocol/event.ts';
import { stateKeyOf } from '../../../protocol/event.ts';
import {
  authChain,
  authDifference,
  conflictedSubgraph,
  type LoadEvent,
  separate,
} from '../../../protocol/state-resolution/conflicts.ts';
import { alice } from '../../support/auth-room.ts';
import { StateGraph } from '../../support/state-graph.ts';

/** Events that only name their auth events. */
function graphOf(edges: Readonly<Record<string, readonly string[]>>): LoadEvent {
  const graph = new StateGraph('12');
  const branch = graph.start(alice, {});
  for (const [name, authEvents] of Object.entries(edges)) {
    const event = branch.make(name, { type: 'x', sender: alice, content: {}, authEvents });
    graph.events.set(name, { ...event, eventId: name });
  }
  return graph.load;
}

const state = (entries: Readonly<Record<string, string>>): StateMap =>
  new Map(Object.entries(entries).map(([key, id]) => [stateKeyOf('t', key), id]));

describe('the conflicts of some states', () => {
  it('are what not all of them have, and have with one value', () => {
    const { unconflicted, conflicted, conflictedBySet } = separate([
      state({ same: 'a', other: 'b1', missing: 'c' }),
      state({ same: 'a', other: 'b2' }),
      state({ same: 'a', other: 'b1', missing: 'c', third: 'd' }),
    ]);
    assert.deepEqual(unconflicted, state({ same: 'a' }));
    assert.deepEqual(conflicted, new Set(['b1', 'b2', 'c', 'd']));
    assert.deepEqual(conflictedBySet, [new Set(['b1', 'c']), new Set(['b2']), new Set(['b1', 'c', 'd'])]);
  });

  it('are none in one state, and in no state', () => {
    assert.deepEqual(separate([state({ a: 'a' })]).unconflicted, state({ a: 'a' }));
    assert.equal(separate([state({ a: 'a' })]).conflicted.size, 0);
    assert.equal(separate([]).unconflicted.size, 0);
  });
});

describe('the auth chain', () => {
  const load = graphOf({ a: [], b: ['a'], c: ['b', 'lost'], d: ['a'] });

  it('holds all that is referred to, and not the events themselves', () => {
    assert.deepEqual(authChain(['c'], load), new Set(['b', 'a', 'lost']));
    assert.deepEqual(authChain(['a'], load), new Set());
    assert.deepEqual(authChain(['c', 'd'], load), new Set(['b', 'a', 'lost']));
  });

  it('holds one of the events if another refers to it', () => {
    assert.deepEqual(authChain(['c', 'b'], load), new Set(['b', 'a', 'lost']));
  });
});

describe('the auth difference', () => {
  const load = graphOf({ root: [], p1: ['root'], p2: ['p1'], x: ['p2'], y: ['p1'], z: ['p1'], u: ['p2'] });
  const difference = (...states: StateMap[]) => authDifference(separate(states), load);

  it('is what is in some of the full auth chains and not in all', () => {
    assert.deepEqual(difference(state({ k: 'x' }), state({ k: 'y' })), new Set(['p2']));
    assert.deepEqual(difference(state({ k: 'x' }), state({ k: 'root' })), new Set(['p2', 'p1', 'root']));
    assert.deepEqual(difference(state({ k: 'y' }), state({ k: 'z' })), new Set());
    assert.deepEqual(difference(state({ k: 'x' }), state({ k: 'y' }), state({ k: 'z' })), new Set(['p2']));
  });

  it('is without what the unconflicted events have in their chains', () => {
    assert.deepEqual(difference(state({ k: 'x', same: 'u' }), state({ k: 'y', same: 'u' })), new Set());
    assert.deepEqual(difference(state({ k: 'x', same: 'z' }), state({ k: 'y', same: 'z' })), new Set(['p2']));
  });

  it('holds what a state that has nothing in conflict lacks', () => {
    assert.deepEqual(
      difference(state({ k: 'y', same: 'root' }), state({ same: 'root' })),
      new Set(['p1', 'root']),
    );
  });
});

describe('the conflicted state subgraph', () => {
  const load = graphOf({
    root: [],
    old: ['root'],
    between1: ['old'],
    between2: ['between1', 'aside'],
    aside: ['root'],
    new: ['between2', 'root'],
    alone: ['aside'],
    above: ['new'],
  });

  it('is everything on a path from one conflicted event to another, ends included', () => {
    assert.deepEqual(
      conflictedSubgraph(new Set(['old', 'new']), load),
      new Set(['old', 'new', 'between1', 'between2']),
    );
  });

  it('is the events themselves where no path joins them', () => {
    assert.deepEqual(conflictedSubgraph(new Set(['old', 'alone']), load), new Set(['old', 'alone']));
    assert.deepEqual(conflictedSubgraph(new Set(['new']), load), new Set(['new']));
    assert.deepEqual(conflictedSubgraph(new Set(), load), new Set());
  });

  it('takes all of several paths, over events that are conflicted too', () => {
    assert.deepEqual(
      conflictedSubgraph(new Set(['root', 'between1', 'above']), load),
      new Set(['root', 'old', 'between1', 'between2', 'aside', 'new', 'above']),
    );
  });

  it('passes over events that are not held', () => {
    assert.deepEqual(conflictedSubgraph(new Set(['old', 'lost']), load), new Set(['old', 'lost']));
  });
});
