import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint } from '../../federation/keys/fingerprint.ts';
import { type JsonObject, parseJson } from '../../protocol/json.ts';
import { generateSigningKey, type SigningKey, verifyJson } from '../../protocol/signing.ts';
import { loadKeys } from '../../server/keys.ts';
import { OwnKeyService } from '../../server/own-key-service.ts';
import type { AuditRecord } from '../../storage/audit/chain.ts';
import { Client } from '../support/client.ts';
import { invite, join as joinRoom, textsOf } from '../support/conversation.ts';
import { realClock, realRandom } from '../support/runtime.ts';
import { TestNetwork } from '../support/test-network.ts';

const recoveryKey = (): SigningKey => generateSigningKey('ed25519:recovery', realRandom);

describe('the rotation of a signing key', () => {
  let network: TestNetwork;
  let li: Client;
  let bo: Client;
  let roomId: string;

  beforeEach(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    await joinRoom(bo, roomId, ['acme.test']);
    await network.settled();
  });

  afterEach(() => network.stop());

  const server = (name: string) => network.island(name).homeserver;
  const rotate = (name = 'acme.test') => server(name).ownKeys.rotate({ by: 'test' });

  /** What bolt holds of acme's keys: which open a link, and which are for old events. */
  function pinned(): { inUse: string[]; ended: string[]; revoked: string[] } {
    const partner = server('bolt.test').partners.get('acme.test');
    const keys = [...(partner?.verifyKeys ?? [])];
    return {
      inUse: keys.filter(([, { validUntil }]) => validUntil === undefined).map(([id]) => id),
      ended: keys.filter(([, { validUntil }]) => validUntil !== undefined).map(([id]) => id),
      revoked: [...(partner?.revokedKeys.keys() ?? [])],
    };
  }

  async function auditOf(name: string, action: string): Promise<AuditRecord[]> {
    const { audit } = server(name).db;
    await audit.settled();
    assert.equal((await audit.verify()).fault, undefined);
    return (await audit.page()).filter((line) => line.action === action);
  }

  async function bothHear(text: string): Promise<void> {
    await li.say(roomId, `${text} from li`);
    await bo.say(roomId, `${text} from bo`);
    await network.settled();
    for (const client of [li, bo]) {
      const texts = await textsOf(client, roomId);
      for (const name of ['li', 'bo'])
        assert.ok(texts.includes(`${text} from ${name}`), `${text} from ${name}`);
    }
  }

  function useRecoveryKey(key: SigningKey): void {
    const bolt = network.island('bolt.test');
    const recoveryKeys = { [key.keyId]: { key: key.publicKey } };
    bolt.setPartners(bolt.partners.map((partner) => ({ ...partner, recoveryKeys })));
  }

  it('is taken over by a partner that is linked, while people chat, and nothing is lost', async () => {
    const old = server('acme.test').keys.own.current;
    const before = Array.from({ length: 30 }, (_, index) => `before ${index}`);
    const sending = (async () => {
      for (const text of before) await li.say(roomId, text);
    })();
    const { keyId, previousKeyId } = await rotate();
    await sending;
    assert.equal(previousKeyId, old.keyId);
    await network.until(() => pinned().inUse.join() === keyId, 'bolt did not take the key over');
    assert.deepEqual(pinned(), { inUse: [keyId], ended: [old.keyId], revoked: [] });
    await network.until(
      () => server('bolt.test').federation.link.status('acme.test').state === 'connected',
      'no link with the new key',
    );
    await network.linked('acme.test', 'bolt.test');
    await bothHear('after');
    assert.deepEqual((await textsOf(bo, roomId)).slice(0, 30), before);
    const [line] = await auditOf('bolt.test', 'partner.accept-key');
    assert.deepEqual(
      [line?.actor, line?.detail?.['key_id'], line?.detail?.['signed_by']],
      ['acme.test', keyId, [old.keyId]],
    );
    assert.equal((await auditOf('acme.test', 'key.rotate')).length, 1);
    // The next one builds on it.
    const next = await rotate();
    await network.until(() => pinned().inUse.join() === next.keyId, 'bolt did not take the second key over');
    await network.linked('acme.test', 'bolt.test');
    await bothHear('twice');
  });

  it('reaches a partner that was away, with several rotations at once, whoever dials', async () => {
    for (const dial of ['inbound', 'outbound'] as const) {
      network.cut('acme.test', 'bolt.test');
      // bolt only waits, or bolt alone dials.
      const bolt = network.island('bolt.test');
      const acme = network.island('acme.test');
      bolt.setPartners(bolt.partners.map((p) => ({ ...p, transport: { ...p.transport, dial } })));
      const theirs = dial === 'inbound' ? 'outbound' : 'inbound';
      acme.setPartners(acme.partners.map((p) => ({ ...p, transport: { ...p.transport, dial: theirs } })));
      await rotate();
      await li.say(roomId, `signed by a key between, ${dial}`);
      const { keyId } = await rotate();
      network.heal('acme.test', 'bolt.test');
      await network.until(() => pinned().inUse.join() === keyId, `bolt (${dial}) did not take the keys over`);
      await network.linked('acme.test', 'bolt.test');
      await bothHear(dial);
      assert.ok((await textsOf(bo, roomId)).includes(`signed by a key between, ${dial}`));
    }
  });

  it('survives restarts on both sides, and is published as Matrix has it', async () => {
    const old = server('acme.test').keys.own.current;
    const { keyId } = await rotate();
    await network.until(() => pinned().inUse.join() === keyId, 'bolt did not take the key over');
    await network.restart('acme.test');
    await network.restart('bolt.test');
    assert.deepEqual(pinned(), { inUse: [keyId], ended: [old.keyId], revoked: [] });
    await network.linked('acme.test', 'bolt.test');
    await bothHear('after restarts');
    const request = {
      method: 'GET',
      uri: '/_matrix/key/v2/server',
      priority: 'query',
      deadlineMs: 5_000,
    } as const;
    const response = await server('bolt.test').federation.link.request('acme.test', request);
    // Our own answer, which the assertions below take apart.
    const body = parseJson(await response.body()) as JsonObject;
    const current = server('acme.test').keys.own.current;
    assert.deepEqual(body['verify_keys'], { [keyId]: { key: current.publicKey } });
    assert.deepEqual(Object.keys(body['old_verify_keys'] as JsonObject), [old.keyId]);
    assert.ok(verifyJson(body, 'acme.test', keyId, current.publicKey));
    // Nothing about keys had to be noted again at the starts.
    assert.equal((await auditOf('acme.test', 'key.rotate')).length, 1);
  });

  it('leaves one whole key wherever it breaks off', async () => {
    const island = network.island('acme.test');
    const { config, db } = island.homeserver;
    const old = island.homeserver.keys.own.current;
    for (const stop of ['record-written', 'key-written'] as const) {
      const { own } = await loadKeys(config, realRandom);
      const log = { warn: () => undefined, error: () => undefined } as never; // It writes no more than this.
      const deps = { config, own, db, clock: realClock, random: realRandom, log };
      const broken = new OwnKeyService({
        ...deps,
        step: (step) => {
          if (step === stop) throw new Error('power cut');
        },
      });
      await assert.rejects(broken.rotate({ by: 'test' }), /power cut/);
      await network.restart('acme.test');
      const { own: after } = server('acme.test').keys;
      if (stop === 'record-written') assert.equal(after.current.keyId, old.keyId);
      else assert.notEqual(after.current.keyId, old.keyId);
      assert.equal(after.oldKeys.has(after.current.keyId), false);
      assert.equal(after.statements.at(-1)?.keyId ?? old.keyId, after.current.keyId);
      await network.linked('acme.test', 'bolt.test');
      await bothHear(stop);
    }
    // The line that the broken one did not get to.
    const [line, ...more] = await auditOf('acme.test', 'key.rotate');
    assert.equal(more.length, 0);
    assert.equal(line?.actor, 'start');
  });

  it('waits for the admin where the configuration wants that, and says so loudly', async () => {
    const bolt = network.island('bolt.test');
    bolt.setPartners(bolt.partners.map((partner) => ({ ...partner, rotation: 'manual' })));
    const old = server('acme.test').keys.own.current;
    const { keyId } = await rotate();
    const { partnerKeys } = server('bolt.test').federation;
    await network.until(() => partnerKeys.wrongKey('acme.test') !== undefined, 'no alarm');
    assert.equal(partnerKeys.wrongKey('acme.test')?.isAnnounced, true);
    assert.deepEqual(pinned().inUse, [old.keyId]);
    const key = server('acme.test').keys.own.current;
    await server('bolt.test').partnerActions.acceptKey('acme.test', {
      keyId,
      key: key.publicKey,
      by: 'test',
    });
    await network.linked('acme.test', 'bolt.test');
    assert.equal(partnerKeys.wrongKey('acme.test'), undefined);
    await bothHear('accepted by hand');
  });

  it('does not happen silently: a key that nothing proves stops the link, with both fingerprints', async () => {
    const acme = network.island('acme.test');
    const old = server('acme.test').keys.own.current;
    await network.restart('acme.test', async () => {
      renameSync(join(acme.directory, 'signing.key'), join(acme.directory, 'lost.key'));
    });
    const shown = server('acme.test').keys.own.current;
    const { partnerKeys, link } = server('bolt.test').federation;
    await network.until(() => partnerKeys.wrongKey('acme.test') !== undefined, 'no alarm');
    assert.equal(link.status('acme.test').state === 'connected', false);
    assert.equal(partnerKeys.wrongKey('acme.test')?.isAnnounced, false);
    const alarm = network
      .island('bolt.test')
      .lines.find((line) => String(line['msg']).includes('shows a signing key that it did not announce'));
    const [print, before] = [fingerprint(shown.publicKey), fingerprint(old.publicKey)];
    assert.match(JSON.stringify(alarm), new RegExp(`${print}.*${before}`));
    const [line] = await auditOf('bolt.test', 'link.wrong-key');
    assert.match(JSON.stringify(line?.detail), new RegExp(before));
    assert.match(JSON.stringify(line?.detail), new RegExp(print));
    assert.deepEqual(pinned().inUse, [old.keyId]);
    // The island itself noted that somebody gave it another key, and still believes its own old events.
    const [replaced] = await auditOf('acme.test', 'key.replaced');
    assert.equal(replaced?.detail?.['before'], old.keyId);
    assert.equal(server('acme.test').federation.keys.key('acme.test', old.keyId)?.publicKey, old.publicKey);
  });

  it('is proved by the recovery key where the signing key was lost', async () => {
    const recovery = recoveryKey();
    useRecoveryKey(recovery);
    const acme = network.island('acme.test');
    const old = server('acme.test').keys.own.current;
    await network.restart('acme.test', async () => {
      renameSync(join(acme.directory, 'signing.key'), join(acme.directory, 'lost.key'));
    });
    const { keyId, previousKeyId } = await server('acme.test').ownKeys.rotate({
      by: 'test',
      recoveryKey: recovery,
    });
    // The key that the island made itself is the new one already.
    assert.equal(keyId, previousKeyId);
    server('bolt.test').federation.partnersChanged();
    await network.until(() => pinned().inUse.join() === keyId, 'bolt did not take the key over');
    assert.deepEqual(pinned().ended, [old.keyId]);
    await network.linked('acme.test', 'bolt.test');
    await bothHear('recovered');
  });

  it('by the recovery key throws a thief out, and what the thief signs is quarantined', async () => {
    const recovery = recoveryKey();
    useRecoveryKey(recovery);
    const stolen = server('acme.test').keys.own.current;
    await assert.rejects(
      server('acme.test').ownKeys.rotate({ by: 'test', isCompromised: true }),
      /recovery key/,
    );
    const { keyId } = await server('acme.test').ownKeys.rotate({
      by: 'test',
      isCompromised: true,
      recoveryKey: recovery,
    });
    await network.until(() => pinned().inUse.join() === keyId, 'bolt did not take the key over');
    assert.deepEqual(pinned().revoked, [stolen.keyId]);
    await network.linked('acme.test', 'bolt.test');
    await bothHear('without the thief');
  });

  it('a revoked key gets no link from that moment, and its events are quarantined', async () => {
    const key = server('acme.test').keys.own.current;
    // Under way when the key is revoked.
    network.cut('acme.test', 'bolt.test');
    await li.say(roomId, 'signed by a stolen key');
    const actions = server('bolt.test').partnerActions;
    await actions.revokeKey('acme.test', { keyId: key.keyId, by: 'test' });
    network.heal('acme.test', 'bolt.test');
    const { link } = server('bolt.test').federation;
    await network.until(
      () => network.island('bolt.test').lines.some((line) => line['reason'] === 'unpinned-key'),
      'the revoked key was not refused',
    );
    assert.notEqual(link.status('acme.test').state, 'connected');
    // A new key, accepted by hand, brings the link back; the old event comes over it, and is kept from people.
    const next = await rotate();
    const { publicKey } = server('acme.test').keys.own.current;
    await actions.acceptKey('acme.test', { keyId: next.keyId, key: publicKey, by: 'test' });
    await network.linked('acme.test', 'bolt.test');
    await bothHear('with the new key');
    assert.ok(!(await textsOf(bo, roomId)).includes('signed by a stolen key'));
    const [held] = await server('bolt.test').db.quarantine.list(10);
    assert.match(JSON.stringify(held?.violations), /key_revoked/);
    const [line] = await auditOf('bolt.test', 'partner.revoke-key');
    assert.equal(line?.detail?.['key_id'], key.keyId);
  });

  it('keeps no private key but the one in use on disk', async () => {
    const old = server('acme.test').keys.own.current;
    await rotate();
    const { directory } = network.island('acme.test');
    const seed = Buffer.from(old.seed).toString('base64').replace(/=+$/, '');
    for (const name of ['signing.key', 'key-record.json', 'homeserver.db', 'homeserver.db-wal'])
      if (existsSync(join(directory, name)))
        assert.equal(readFileSync(join(directory, name), 'latin1').includes(seed), false, name);
  });
});
