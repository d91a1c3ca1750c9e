import assert from 'node:assert/strict';
import { pino } from 'pino';
import { DecisionJournal } from '../../federation/border/decision-journal.ts';
import type { PartnerFacts } from '../../policy/book.ts';
import { decide } from '../../policy/decide.ts';
import type { ViolationCode } from '../../policy/decision.ts';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import type { Question, RoomFacts } from '../../policy/question.ts';
import { emptySqlite, open } from '../storage/support.ts';
import { FakeClock } from '../support/fake-clock.ts';

const now = 1_000_000;

/** Something that is denied for one reason. */
interface Denial {
  readonly policy?: Partial<PartnerPolicy>;
  /** null: there is no such partner. */
  readonly partner?: Partial<PartnerFacts> | null;
  readonly question: Question;
}

const local = { userId: '@li:acme.test', departments: [] };
const between = { direction: 'outbound', remoteServer: 'bolt.test' } as const;
const people = { ...between, local, remote: ['@bo:bolt.test'] } as const;
const room: RoomFacts = {
  roomId: '!room',
  class: undefined,
  sharedWith: [],
  creatorServer: 'acme.test',
  isEncrypted: false,
  servers: ['bolt.test'],
};
const message = {
  ...people,
  action: 'message',
  room,
  eventType: 'm.room.message',
  isCleartext: true,
} as const;
const file = { ...people, action: 'file', file: { size: 100, mime: 'image/png' } } as const;
const invite = { ...people, action: 'invite', room, isApproved: false } as const;
const talk = { ...between, action: 'talk' } as const;
const third = { ...between, action: 'third-party', room, server: 'cargo.test', refusedBy: [] } as const;
const { rooms } = defaultPartnerPolicy;
const callback = {
  url: 'https://check.acme.test/',
  actions: ['message'],
  timeout: 1_000,
  onTimeout: 'deny',
} as const;

function state(change: Extract<Question, { action: 'state' }>['change']): Question {
  return { ...people, action: 'state', room, eventType: 'org.example.state', change };
}

/** Every code, by an example: a new code is not complete without one. */
const denials: Readonly<Record<ViolationCode, Denial>> = {
  not_a_partner: { partner: null, question: talk },
  partner_suspended: { partner: { state: 'suspended' }, question: talk },
  partner_expired: { partner: { validUntil: now }, question: talk },
  local_user_denied: { policy: { allowLocal: [] }, question: message },
  remote_user_denied: { policy: { allowRemote: [] }, question: message },
  invite_outbound_denied: { policy: { invites: { outbound: 'deny', inbound: 'allow' } }, question: invite },
  invite_inbound_denied: {
    policy: { invites: { outbound: 'allow', inbound: 'deny' } },
    question: { ...invite, direction: 'inbound' },
  },
  invite_needs_approval: { policy: { invites: { outbound: 'approve', inbound: 'allow' } }, question: invite },
  invite_not_approved: {
    policy: { invites: { outbound: 'approve', inbound: 'allow' } },
    question: { ...invite, isRefused: true },
  },
  room_internal: { question: { ...invite, room: { ...room, class: 'internal' } } },
  room_not_shared_with_partner: { question: { ...invite, room: { ...room, class: 'shared' } } },
  room_of_partner_denied: {
    policy: { rooms: { ...rooms, remoteMayCreate: false } },
    question: { ...message, room: { ...room, creatorServer: 'bolt.test' } },
  },
  third_party_denied: { question: third },
  third_party_refused: {
    policy: { rooms: { ...rooms, thirdParties: 'allow' } },
    question: { ...third, refusedBy: ['bolt.test'] },
  },
  third_party_unanswered: {
    policy: { rooms: { ...rooms, thirdParties: 'allow', thirdPartyConsent: 'required' } },
    question: { ...third, unanswered: ['bolt.test'] },
  },
  room_frozen: { question: { ...message, room: { ...room, frozenFor: ['cargo.test'] } } },
  join_rule_denied: { question: state({ opensJoins: true }) },
  invite_level_denied: {
    policy: { rooms: { ...rooms, maxRemotePowerLevel: 50 } },
    question: state({ inviteLevel: 50 }),
  },
  power_level_denied: {
    policy: { rooms: { ...rooms, maxRemotePowerLevel: 50 } },
    question: state({ remotePower: { '@bo:bolt.test': 60 } }),
  },
  creator_denied: { question: state({ remoteCreators: ['@bo:bolt.test'] }) },
  history_visibility_denied: {
    policy: { rooms: { ...rooms, historyVisibility: ['joined'] } },
    question: state({ historyVisibility: 'shared' }),
  },
  encryption_required: { policy: { rooms: { ...rooms, encryption: 'required' } }, question: message },
  encryption_forbidden: {
    policy: { rooms: { ...rooms, encryption: 'forbidden' } },
    question: { ...message, eventType: 'm.room.encrypted', isCleartext: false },
  },
  event_type_denied: { policy: { events: { deny: ['m.room.message'] } }, question: message },
  files_denied: { policy: { files: { direction: 'inbound' } }, question: file },
  file_too_large: { policy: { files: { direction: 'both', maxSize: 10 } }, question: file },
  file_type_denied: { policy: { files: { direction: 'both', mime: ['text/plain'] } }, question: file },
  person_not_exposed: { question: { ...people, action: 'directory', direction: 'inbound' } },
  presence_not_shared: { question: { ...people, action: 'presence' } },
  typing_not_shared: {
    policy: { share: { ...defaultPartnerPolicy.share, typing: false } },
    question: { ...people, action: 'typing' },
  },
  receipts_not_shared: {
    policy: { share: { ...defaultPartnerPolicy.share, receipts: false } },
    question: { ...people, action: 'receipt' },
  },
  device_names_not_shared: { question: { ...people, action: 'device-names' } },
  callback_denied: { policy: { callback }, question: { ...message, verdict: { decision: 'deny' } } },
  callback_unanswered: { policy: { callback }, question: { ...message, verdict: { decision: 'none' } } },
  rate_exceeded: { question: { ...invite, quotaMs: 60_000 } },
  key_revoked: {
    partner: { revokedKeys: new Map([['ed25519:a', now]]) },
    question: { ...between, direction: 'inbound', action: 'signature', keyIds: ['ed25519:a'] },
  },
};

describe('The audit log has a line for a denial by', () => {
  for (const [code, { policy, partner = {}, question }] of Object.entries(denials))
    it(code, async () => {
      const db = await open(emptySqlite());
      try {
        const facts: PartnerFacts = {
          serverName: 'bolt.test',
          state: 'active',
          rule: 'homeserver.yaml:12',
          policy: { ...defaultPartnerPolicy, ...policy },
          ...partner,
        };
        const book = {
          serverName: 'acme.test',
          get: (name: string) => (partner !== null && name === 'bolt.test' ? facts : undefined),
        };
        const decision = decide(book, question, now);
        assert.ok(!decision.allowed);
        assert.deepEqual(
          decision.violations.map((violation) => violation.code),
          [code],
        );
        const journal = new DecisionJournal({
          db,
          clock: new FakeClock(now),
          log: pino({ level: 'silent' }),
        });
        journal.asked(question, decision);
        await journal.flush();
        await db.audit.settled();
        const lines = await db.audit.page();
        assert.deepEqual(
          lines.map(({ action, outcome, subject, detail }) => [action, outcome, subject, detail?.['codes']]),
          [['border.deny', 'denied', 'bolt.test', [code]]],
        );
        assert.deepEqual(lines[0]?.detail?.['rules'], [decision.violations[0]?.rule]);
        assert.equal((await db.decisions.page(0)).length, 1);
      } finally {
        await db.close();
      }
    });
});
