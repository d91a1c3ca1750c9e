import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checkAuthEvents } from '../../../protocol/auth/auth-events.ts';
import { authorize } from '../../../protocol/auth/authorize.ts';
import { type StateMap, stateKeyOf } from '../../../protocol/event.ts';
import { isObject, type JsonObject } from '../../../protocol/json.ts';
import type { RoomVersionId } from '../../../protocol/room-versions.ts';
import { separate } from '../../../protocol/state-resolution/conflicts.ts';
import { resolveState } from '../../../protocol/state-resolution/resolve.ts';
import { alice, bob, carol, mod } from '../../support/auth-room.ts';
import { referenceResolution } from '../../support/reference-resolution.ts';
import { Branch, type StateEvent, StateGraph } from '../../support/state-graph.ts';

const users = [alice, mod, bob, carol] as const;
const runs = 100;

type User = (typeof users)[number];

/** Something that somebody tries at the end of one of the branches. */
interface Step {
  readonly branch: number;
  readonly sender: User;
  readonly target: User;
  readonly action:
    | 'ban'
    | 'kick'
    | 'join'
    | 'leave'
    | 'invite'
    | 'levels'
    | 'threshold'
    | 'rule'
    | 'topic'
    | 'fork'
    | 'merge';
  /** A power level, or which of some values. */
  readonly number: number;
  readonly at: number;
  /** The start of the event's id. */
  readonly name: string;
}

const user = fc.constantFrom(...users);
const step: fc.Arbitrary<Step> = fc.record({
  branch: fc.nat(5),
  sender: user,
  target: user,
  action: fc.constantFrom(
    ...(['ban', 'kick', 'join', 'join', 'leave', 'invite', 'levels', 'levels', 'threshold', 'rule'] as const),
    ...(['topic', 'topic', 'fork', 'fork', 'merge'] as const),
  ),
  number: fc.constantFrom(0, 10, 50, 50, 60, 100),
  // Few values: equal times are what the ids are compared for.
  at: fc.nat(6),
  name: fc.constantFrom('a', 'b', 'c', 'd'),
});

function eventOf({ action, sender, target, number, at }: Step, levels: JsonObject): StateEvent | undefined {
  const member = (membership: string, by: string, stateKey: string): StateEvent => ({
    type: 'm.room.member',
    sender: by,
    stateKey,
    content: { membership },
    at,
  });
  switch (action) {
    case 'ban':
      return member('ban', sender, target);
    case 'kick':
      return member('leave', sender, target);
    case 'join':
      return member('join', sender, sender);
    case 'leave':
      return member('leave', sender, sender);
    case 'invite':
      return member('invite', sender, target);
    case 'levels': {
      const now = isObject(levels['users']) ? levels['users'] : {};
      const content = { ...levels, users: { ...now, [target]: number } };
      return { type: 'm.room.power_levels', sender, content, at };
    }
    case 'threshold':
      return { type: 'm.room.power_levels', sender, content: { ...levels, ban: number, invite: number }, at };
    case 'rule':
      return {
        type: 'm.room.join_rules',
        sender,
        content: { join_rule: number > 50 ? 'public' : number > 10 ? 'invite' : 'knock' },
        at,
      };
    default:
      return { type: 'm.room.topic', sender, content: {}, at };
  }
}

/** Plays the steps; what the rules do not allow at its place is left out. Gives the branches at the end. */
function play(version: RoomVersionId, steps: readonly Step[]): Branch[] {
  const graph = new StateGraph(version);
  const start = graph.start(alice, { users: graph.users(alice, { [mod]: 50, [bob]: 50 }) });
  for (const other of [mod, bob, carol]) start.member(`join ${other}`, other, 'join');
  const branches = [start, start.fork()];
  steps.forEach((one, index) => {
    const branch = branches[one.branch % branches.length];
    if (branch === undefined) return;
    if (one.action === 'fork') {
      if (branches.length < 5) branches.push(branch.fork());
      return;
    }
    if (one.action === 'merge') {
      const other = branches[(one.branch + 1) % branches.length];
      if (other === undefined || other === branch || branches.length < 3) return;
      const state = graph.resolve(branch, other);
      branches.splice(branches.indexOf(other), 1);
      branches[branches.indexOf(branch)] = new Branch(
        graph,
        state,
        [...branch.prev, ...other.prev],
        branch.time,
      );
      return;
    }
    const levelsId = graph.at(branch.state, 'm.room.power_levels');
    const levels = levelsId === undefined ? {} : (graph.events.get(levelsId)?.pdu.content ?? {});
    const planned = eventOf(one, levels);
    if (planned === undefined) return;
    const event = branch.make(`${one.name}${index}`, planned);
    if (branch.judge(event).allowed) branch.put(event);
  });
  return branches;
}

function reordered<T>(items: readonly T[], keys: readonly number[]): T[] {
  return items
    .map((item, index) => ({ item, key: keys[index % keys.length] ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

for (const version of ['10', '11', '12'] as const) {
  describe(`state resolution of random graphs in room version ${version}`, () => {
    const steps = fc.array(step, { minLength: 5, maxLength: 45 });

    it('does not depend on the order of the states, of their entries, or of the events', () => {
      let conflicts = 0;
      fc.assert(
        fc.property(steps, fc.array(fc.nat(1000), { minLength: 40, maxLength: 60 }), (played, keys) => {
          const branches = play(version, played);
          const [{ graph }] = branches as [Branch];
          const sets: StateMap[] = branches.map((branch) => branch.state);
          if (separate(sets).conflicted.size > 0) conflicts += 1;
          const resolved = new Map(resolveState(graph.version, sets, graph.load));
          const events = new Map(reordered([...graph.events], keys));
          const shuffled = reordered(sets, keys).map((set) => new Map(reordered([...set], keys)));
          for (const given of [shuffled, [...shuffled].reverse(), [...shuffled, ...shuffled]]) {
            assert.deepEqual(new Map(resolveState(graph.version, given, (id) => events.get(id))), resolved);
          }
        }),
        { numRuns: runs },
      );
      // The graphs must be worth it.
      assert.ok(conflicts > runs / 2, `only ${conflicts} of ${runs} graphs had a conflict`);
    });

    it('gives what the definitions of the specification give', () => {
      fc.assert(
        fc.property(steps, (played) => {
          const branches = play(version, played);
          const [{ graph }] = branches as [Branch];
          const sets = branches.map((branch) => branch.state);
          assert.deepEqual(
            new Map(resolveState(graph.version, sets, graph.load)),
            referenceResolution(graph.version, sets, graph.events),
          );
        }),
        { numRuns: runs },
      );
    });

    it('gives a state of events that were allowed, each in its place, with all that was agreed on', () => {
      fc.assert(
        fc.property(steps, (played) => {
          const branches = play(version, played);
          const [{ graph }] = branches as [Branch];
          const sets = branches.map((branch) => branch.state);
          const resolved = resolveState(graph.version, sets, graph.load);
          for (const [key, id] of separate(sets).unconflicted) assert.equal(resolved.get(key), id);
          for (const [key, id] of resolved) {
            const event = graph.events.get(id);
            assert.ok(event);
            const { pdu } = event;
            assert.equal(stateKeyOf(pdu.type, pdu.state_key ?? ''), key);
            const named = pdu.auth_events
              .map((authId) => graph.events.get(authId))
              .filter((auth) => auth !== undefined);
            assert.equal(named.length, pdu.auth_events.length);
            const create = graph.events.get('$create');
            assert.equal(checkAuthEvents(event, named, graph.version, create), undefined);
            const get = (type: string, stateKey: string) =>
              type === 'm.room.create'
                ? create
                : named.find((auth) => auth.pdu.type === type && auth.pdu.state_key === stateKey);
            const verdict = authorize(event, { get }, graph.version, { isSignedBy: () => true });
            assert.ok(verdict.allowed, `${id}: rule ${verdict.rule}`);
          }
          // It is a state like any other: resolved with itself it stays.
          assert.deepEqual(resolveState(graph.version, [resolved, resolved], graph.load), resolved);
        }),
        { numRuns: runs },
      );
    });
  });
}
