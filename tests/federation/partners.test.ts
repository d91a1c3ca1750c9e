import assert from 'node:assert/strict';
import { PartnerBorder } from '../../federation/border/border.ts';
import { LocalPeople } from '../../federation/border/people.ts';
import { CallbackChecker } from '../../federation/callback/checker.ts';
import { PinnedKeyRing } from '../../federation/keys/key-ring.ts';
import { OwnKeys } from '../../federation/keys/own-keys.ts';
import {
  type PartnerChanges,
  type PartnerEntry,
  PartnerRegistry,
} from '../../federation/partners/registry.ts';
import { explain } from '../../policy/decision.ts';
import type { Clock } from '../../protocol/runtime.ts';
import { signingKeyFromSeed } from '../../protocol/signing.ts';
import { recordingLog } from '../support/runtime.ts';

const now = Date.UTC(2026, 10, 1);
const ownKey = signingKeyFromSeed('ed25519:a1', Buffer.alloc(32, 1));
const boltKey = signingKeyFromSeed('ed25519:b1', Buffer.alloc(32, 2));

function clockAt(time: { now: number }): Clock {
  return { now: () => time.now, setTimer: () => ({ cancel: () => undefined }) };
}

function entry(overrides: Partial<PartnerEntry> = {}): PartnerEntry {
  return {
    serverName: 'bolt.example',
    state: 'active',
    verifyKeys: {
      'ed25519:b1': { key: boltKey.publicKey },
      'ed25519:b0': { key: 'b2xk', validUntil: now - 5 },
    },
    transport: {
      type: 'link',
      urls: ['wss://bolt.example/_archipelago/link/v1'],
      dial: 'both',
      allowPrivateIp: false,
      allowCleartext: false,
      tls: {},
    },
    source: { file: 'conf.d/partners/bolt.yaml', line: 3 },
    ...overrides,
  };
}

function registryOf(partners: PartnerEntry[], time = { now }): PartnerRegistry {
  return new PartnerRegistry({ serverName: 'acme.example', clock: clockAt(time), partners });
}

function borderOf(partners: PartnerRegistry, time: { now: number }): PartnerBorder {
  const people = new LocalPeople('acme.example', new Map());
  const clock = clockAt(time);
  const checker = new CallbackChecker({ clock, log: recordingLog([]) });
  return new PartnerBorder({ partners, people, clock, file: async () => undefined, checker });
}

describe('the partner registry', () => {
  it('knows nobody unless the configuration says so', () => {
    const registry = registryOf([]);
    const border = borderOf(registry, { now });
    assert.deepEqual(registry.active(), []);
    assert.equal(border.mayTalkTo('bolt.example'), false);
    assert.equal(border.mayTalkTo('acme.example'), true);
    assert.match(explain(border.mayAsk('bolt.example')), /not a partner/);
  });

  it('matches names exactly', () => {
    const border = borderOf(registryOf([entry()]), { now });
    assert.equal(border.mayTalkTo('bolt.example'), true);
    for (const name of ['BOLT.example', 'x.bolt.example', 'bolt.example:443', 'bolt.exampl', ''])
      assert.equal(border.mayTalkTo(name), false, name);
  });

  it('ends a partnership at its time by itself', () => {
    const time = { now };
    const registry = registryOf([entry({ validUntil: now + 1000 })], time);
    assert.equal(registry.isActive('bolt.example'), true);
    time.now += 1000;
    assert.equal(registry.isActive('bolt.example'), false);
    assert.deepEqual(registry.active(), []);
    assert.match(explain(borderOf(registry, time).mayAsk('bolt.example')), /has ended/);
  });

  it('tells listeners what a new set changes, and nothing when nothing differs', () => {
    const registry = registryOf([entry()]);
    const heard: PartnerChanges[] = [];
    const end = registry.onChange((changes) => heard.push(changes));
    registry.replace([entry()]);
    assert.equal(heard.length, 0);
    registry.replace([entry({ state: 'suspended' }), entry({ serverName: 'dock.example' })]);
    assert.deepEqual(
      heard.map((changes) =>
        [changes.added, changes.changed, changes.removed].map((list) => list.map((p) => p.serverName)),
      ),
      [[['dock.example'], ['bolt.example'], []]],
    );
    assert.equal(registry.isActive('bolt.example'), false);
    registry.replace([entry()]);
    assert.deepEqual(
      heard[1]?.removed.map((partner) => partner.serverName),
      ['dock.example'],
    );
    end();
    registry.replace([]);
    assert.equal(heard.length, 2);
  });

  it('never takes ourselves for a partner', () => {
    assert.equal(registryOf([entry({ serverName: 'acme.example' })]).get('acme.example'), undefined);
  });
});

describe('the key ring', () => {
  it('knows our own keys and the pinned ones, and no other', () => {
    const ring = new PinnedKeyRing({
      serverName: 'acme.example',
      own: new OwnKeys(ownKey, {
        statements: [],
        oldKeys: new Map([['ed25519:a0', { key: 'b2xk', validUntil: 7 }]]),
      }),
      partners: registryOf([entry()]),
    });
    assert.deepEqual(ring.key('acme.example', 'ed25519:a1'), { publicKey: ownKey.publicKey });
    assert.deepEqual(ring.key('acme.example', 'ed25519:a0'), { publicKey: 'b2xk', validUntil: 7 });
    assert.deepEqual(ring.key('bolt.example', 'ed25519:b1'), { publicKey: boltKey.publicKey });
    assert.deepEqual(ring.key('bolt.example', 'ed25519:b0'), { publicKey: 'b2xk', validUntil: now - 5 });
    assert.equal(ring.key('bolt.example', 'ed25519:zz'), undefined);
    assert.equal(ring.key('dock.example', 'ed25519:b1'), undefined);
  });

  it('keeps the keys of a suspended partner for its old events, and forgets a removed one', () => {
    const registry = registryOf([entry({ state: 'suspended' })]);
    const ring = new PinnedKeyRing({
      serverName: 'acme.example',
      own: new OwnKeys(ownKey),
      partners: registry,
    });
    assert.ok(ring.key('bolt.example', 'ed25519:b1'));
    registry.replace([]);
    assert.equal(ring.key('bolt.example', 'ed25519:b1'), undefined);
  });
});
