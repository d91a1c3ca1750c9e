import assert from 'node:assert/strict';
import type { PartnerFacts } from '../../policy/book.ts';
import { decide } from '../../policy/decide.ts';
import type { Decision } from '../../policy/decision.ts';
import {
  type CallbackAction,
  defaultPartnerPolicy,
  type PartnerPolicy,
} from '../../policy/partner-policy.ts';
import type { CallbackVerdict, Direction, Question, RoomFacts } from '../../policy/question.ts';

const now = 1_000_000;
const li = { userId: '@li:acme.example', departments: ['purchasing'] };
const ann = { userId: '@ann:acme.example', departments: ['research'] };
const bob = '@bob:bolt.example';
const remoteServer = 'bolt.example';

function book(policy: Partial<PartnerPolicy> = {}, entry: Partial<PartnerFacts> | null = {}) {
  const partner: PartnerFacts = {
    serverName: 'bolt.example',
    state: 'active',
    rule: 'homeserver.yaml:12',
    policy: { ...defaultPartnerPolicy, ...policy },
    ...entry,
  };
  return {
    serverName: 'acme.example',
    get: (name: string) => (entry !== null && name === partner.serverName ? partner : undefined),
  };
}

function codes(decision: Decision): string[] {
  return decision.allowed ? [] : decision.violations.map((violation) => violation.code);
}

function room(overrides: Partial<RoomFacts> = {}): RoomFacts {
  return {
    roomId: '!r:acme.example',
    class: undefined,
    sharedWith: [],
    creatorServer: 'acme.example',
    isEncrypted: false,
    servers: ['acme.example'],
    ...overrides,
  };
}

/** One question of each kind, such as nobody objects to by default. */
function questions(direction: Direction): Question[] {
  const base = { direction, remoteServer, local: li, remote: [bob] };
  return [
    { action: 'talk', direction, remoteServer },
    { ...base, action: 'message', room: room(), eventType: 'm.room.message', isCleartext: true },
    { ...base, action: 'state', room: room(), eventType: 'm.room.topic', change: {} },
    { ...base, action: 'file', file: { size: 10, mime: 'image/png' } },
    { ...base, action: 'invite', room: room(), isApproved: false },
    { ...base, action: 'join', room: room() },
    { ...base, action: 'create-room', change: {}, isEncrypted: false },
    { ...base, action: 'profile', sharesRoom: true },
    { ...base, action: 'typing' },
    { ...base, action: 'receipt' },
  ];
}

describe('The border decides', () => {
  it('that nothing crosses without an active partner, whatever is asked, both ways', () => {
    for (const [entry, code] of [
      [null, 'not_a_partner'],
      [{ serverName: 'dock.example' }, 'not_a_partner'],
      [{ state: 'suspended' as const }, 'partner_suspended'],
      [{ validUntil: now }, 'partner_expired'],
    ] as const)
      for (const direction of ['outbound', 'inbound'] as const)
        for (const question of questions(direction))
          assert.deepEqual(codes(decide(book({}, entry), question, now)), [code], question.action);
  });

  it('that a partner about which nothing was said may chat, send files and receipts', () => {
    for (const direction of ['outbound', 'inbound'] as const)
      for (const question of questions(direction))
        assert.deepEqual(
          codes(decide(book({}, { validUntil: now + 1 }), question, now)),
          [],
          question.action,
        );
  });

  it('that presence, the directory and further servers are not for partners unless somebody says so', () => {
    const base = { direction: 'inbound', remoteServer, local: li, remote: [bob] } as const;
    assert.deepEqual(codes(decide(book(), { ...base, action: 'presence' }, now)), ['presence_not_shared']);
    assert.deepEqual(codes(decide(book(), { ...base, action: 'directory' }, now)), ['person_not_exposed']);
    assert.deepEqual(codes(decide(book(), { ...base, action: 'profile', sharesRoom: false }, now)), [
      'person_not_exposed',
    ]);
    const third = {
      action: 'third-party',
      direction: 'inbound',
      remoteServer,
      room: room(),
      refusedBy: [],
    } as const;
    assert.deepEqual(codes(decide(book(), { ...third, server: 'dock.example' }, now)), [
      'third_party_denied',
    ]);
  });

  it('about presence and the names of devices as about typing and receipts', () => {
    const rows = [
      ['presence', 'presence', 'presence_not_shared'],
      ['typing', 'typing', 'typing_not_shared'],
      ['receipt', 'receipts', 'receipts_not_shared'],
      ['device-names', 'device_names', 'device_names_not_shared'],
    ] as const;
    for (const direction of ['outbound', 'inbound'] as const)
      for (const [action, key, code] of rows) {
        const question = { action, direction, remoteServer, local: li, remote: [bob] };
        const given = (isShared: boolean) =>
          book({
            share: { presence: true, typing: true, receipts: true, device_names: true, [key]: isShared },
          });
        assert.deepEqual(codes(decide(given(true), question, now)), [], action);
        assert.deepEqual(codes(decide(given(false), question, now)), [code], action);
      }
  });

  it('that a role contact is found whatever else is exposed, if the partnership is for them', () => {
    const directory = { expose: [], fields: [], contacts: [{ name: 'Purchasing', userId: li.userId }] };
    const question = { direction: 'inbound', remoteServer, remote: [] } as const;
    for (const [policy, local, expected] of [
      [{ directory }, li, []],
      [{ directory }, ann, ['person_not_exposed']],
      [{ directory, allowLocal: [{ department: 'research' }] }, li, ['local_user_denied']],
    ] as const)
      for (const action of ['directory', 'profile'] as const)
        assert.deepEqual(
          codes(decide(book(policy), { ...question, action, local, sharesRoom: false }, now)),
          expected,
        );
  });

  it('by departments and users of ours, and users of theirs, and names every reason with its line', () => {
    const given = book({
      allowLocal: [{ department: 'purchasing' }, { user: '@ceo:acme.example' }],
      allowRemote: [{ user: '@li:bolt.example' }],
      invites: { outbound: 'deny', inbound: 'approve' },
      rules: { allow_local: 'bolt.yaml:4', 'invites.outbound': 'bolt.yaml:7' },
    });
    const invite = { action: 'invite', direction: 'outbound', remoteServer, isApproved: false } as const;
    const decision = decide(given, { ...invite, local: ann, remote: [bob] }, now);
    assert.deepEqual(decision.allowed ? [] : decision.violations.map(({ code, rule }) => [code, rule]), [
      ['local_user_denied', 'bolt.yaml:4'],
      ['remote_user_denied', 'default of allow_remote'],
      ['invite_outbound_denied', 'bolt.yaml:7'],
    ]);
    const inbound = { ...invite, direction: 'inbound', local: li, remote: ['@li:bolt.example'] } as const;
    assert.deepEqual(codes(decide(given, inbound, now)), ['invite_needs_approval']);
    assert.deepEqual(codes(decide(given, { ...inbound, isApproved: true }, now)), []);
  });

  it('by the class of the room', () => {
    const invite = {
      action: 'invite',
      direction: 'outbound',
      remoteServer,
      local: li,
      remote: [bob],
      isApproved: false,
    } as const;
    const ask = (facts: RoomFacts): string[] => codes(decide(book(), { ...invite, room: facts }, now));
    assert.deepEqual(ask(room({ class: 'internal' })), ['room_internal']);
    assert.deepEqual(ask(room({ class: 'shared', sharedWith: ['dock.example'] })), [
      'room_not_shared_with_partner',
    ]);
    assert.deepEqual(ask(room({ class: 'shared', sharedWith: [remoteServer] })), []);
  });

  it('by what a callback said, and where it said nothing by what the policy says of that', () => {
    const base = { direction: 'outbound', remoteServer, local: li, remote: [bob] } as const;
    const message = { ...base, action: 'message', eventType: 'm.room.message', isCleartext: true } as const;
    const said = (
      onTimeout: 'allow' | 'deny' | 'warn',
      verdict: CallbackVerdict | undefined,
      actions: readonly CallbackAction[] = ['message'],
    ): string[] => {
      const callback = { url: 'http://dlp.test/', actions, timeout: 1, onTimeout };
      return codes(decide(book({ callback }), { ...message, verdict }, now));
    };
    assert.deepEqual(said('deny', undefined), []);
    assert.deepEqual(said('deny', { decision: 'allow' }), []);
    assert.deepEqual(said('deny', { decision: 'warn' }), []);
    assert.deepEqual(said('allow', { decision: 'deny' }), ['callback_denied']);
    assert.deepEqual(said('deny', { decision: 'none' }), ['callback_unanswered']);
    assert.deepEqual(said('warn', { decision: 'none' }), []);
    assert.deepEqual(said('allow', { decision: 'none' }), []);
    // About what it is not asked it has nothing to say.
    assert.deepEqual(said('deny', { decision: 'deny' }, ['invite', 'media']), []);
    // What something else forbids stays forbidden.
    const given = book({
      events: { deny: ['m.room.message'] },
      callback: { url: 'http://dlp.test/', actions: ['message'], timeout: 1, onTimeout: 'allow' },
    });
    assert.deepEqual(codes(decide(given, { ...message, verdict: { decision: 'allow' } }, now)), [
      'event_type_denied',
    ]);
  });

  it('by the quota of the partner, and says when it has room again', () => {
    const invite = { action: 'invite', remoteServer, local: li, remote: [bob], isApproved: false } as const;
    for (const direction of ['outbound', 'inbound'] as const) {
      assert.deepEqual(codes(decide(book(), { ...invite, direction, quotaMs: 0 }, now)), []);
      const decision = decide(book(), { ...invite, direction, quotaMs: 1_500 }, now);
      assert.deepEqual(
        decision.allowed ? [] : decision.violations.map((v) => [v.code, v.rule, v.retryAfterMs]),
        [['rate_exceeded', 'default of rate.invites_per_hour', 1_500]],
      );
    }
  });

  it('by direction, size and type of a file', () => {
    const given = book({
      files: { direction: 'outbound', maxSize: 100, mime: ['image/*', 'application/pdf'] },
    });
    const base = { action: 'file', remoteServer, local: li, remote: [bob] } as const;
    const ask = (direction: Direction, size: number, mime: string): string[] =>
      codes(decide(given, { ...base, direction, file: { size, mime } }, now));
    assert.deepEqual(ask('outbound', 100, 'Image/PNG; q=1'), []);
    assert.deepEqual(ask('outbound', 101, 'application/pdf'), ['file_too_large']);
    assert.deepEqual(ask('outbound', 1, 'imagex/png'), ['file_type_denied']);
    assert.deepEqual(ask('inbound', 1, 'application/pdf'), ['files_denied']);
  });
});
