import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { readRetryAfter } from '../../federation/link/dial.ts';
import { isLoopbackHost, isPrivateAddress } from '../../federation/link/private-address.ts';
import type { LinkPartner } from '../../federation/link/types.ts';
import { quiet, TestIsland, twoIslands, until } from './support.ts';

describe('link: dialling', () => {
  it('knows private addresses, in every spelling', () => {
    for (const address of [
      '10.1.2.3',
      '127.0.0.1',
      '169.254.169.254',
      '172.31.0.1',
      '192.168.0.1',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
      '::',
      '::1',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fdff::1',
      'ff02::1',
      '::ffff:10.0.0.1',
      '::ffff:7f00:1',
      '::10.0.0.1',
      '64:ff9b::10.0.0.1',
      'not an address',
    ])
      assert.ok(isPrivateAddress(address), address);
    for (const address of ['8.8.8.8', '172.32.0.1', '2606:4700::1', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8'])
      assert.ok(!isPrivateAddress(address), address);
    for (const host of ['localhost', 'LOCALHOST', 'acme.localhost', '127.0.0.1', '127.9.9.9', '[::1]', '::1'])
      assert.ok(isLoopbackHost(host), host);
    for (const host of ['localhost.example', '10.0.0.1', '128.0.0.1', '127.example.com'])
      assert.ok(!isLoopbackHost(host), host);
  });

  it('reads Retry-After as seconds and as a date', () => {
    const now = Date.UTC(2026, 0, 1);
    assert.equal(readRetryAfter('7', now), 7_000);
    assert.equal(readRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now), 30_000);
    assert.equal(readRetryAfter('999999999', now), 3_600_000);
    assert.equal(readRetryAfter('Thu, 01 Jan 2015 00:00:00 GMT', now), 0);
    assert.equal(readRetryAfter('soon', now), undefined);
    assert.equal(readRetryAfter(undefined, now), undefined);
  });

  async function dialFails(changes: Partial<LinkPartner>, reason: RegExp): Promise<void> {
    const acme = new TestIsland('acme.test');
    await acme.listen();
    try {
      acme.partners.set('bolt.test', { ...new TestIsland('bolt.test').asPartner({ urls: [] }), ...changes });
      acme.manager.start();
      await until(() => acme.logged.some((entry) => reason.test(String(entry['reason']))), String(reason));
    } finally {
      await acme.close();
    }
  }

  it('refuses private addresses unless the partner is allowed one, and cleartext beyond loopback', async () => {
    await dialFails({ urls: ['wss://10.255.255.1'] }, /private address/);
    await dialFails({ urls: ['wss://[fd00::1]:443/'] }, /private address/);
    await dialFails({ urls: ['ws://192.0.2.1'], allowPrivateIp: true }, /allow_cleartext/);
    await dialFails({ urls: ['https://127.0.0.1'] }, /not a ws:/);
    await dialFails({ urls: ['nonsense'] }, /not a ws:/);
  });

  it('dials names below localhost, and a URL with or without the path', async () => {
    const { acme, bolt, close } = await twoIslands();
    try {
      bolt.manager.start();
      acme.partners.set(
        'bolt.test',
        bolt.asPartner({ urls: [`ws://bolt.localhost:${bolt.port}/_archipelago/link/v1`] }),
      );
      acme.manager.start();
      await until(() => acme.isUp('bolt.test'));
    } finally {
      await close();
    }
  });

  it('tries the partner\u2019s URLs in turn', async () => {
    const { acme, bolt, clock, close } = await twoIslands();
    try {
      bolt.manager.start();
      acme.partners.set('bolt.test', bolt.asPartner({ urls: ['ws://127.0.0.1:1', bolt.url] }));
      acme.manager.start();
      await until(() => acme.logged.some((entry) => /ECONNREFUSED/.test(String(entry['reason']))));
      await quiet(4);
      clock.advance(1_000);
      await until(() => acme.isUp('bolt.test'));
    } finally {
      await close();
    }
  });

  it('dials nobody who is inbound only or not active, and nobody without partners', async () => {
    const { acme, bolt, clock, close } = await twoIslands();
    try {
      let knocks = 0;
      bolt.server.on('connection', () => {
        knocks += 1;
      });
      acme.partners.set('bolt.test', bolt.asPartner({ dial: 'inbound' }));
      acme.partners.set('gone.test', { ...bolt.asPartner({ state: 'suspended' }), serverName: 'gone.test' });
      acme.manager.start();
      for (let minute = 0; minute < 20; minute += 1) clock.advance(60_000);
      assert.equal(knocks, 0);
      assert.equal(acme.manager.status('bolt.test').state, 'down');
    } finally {
      await close();
    }
  });

  it('goes through a CONNECT proxy, and says when that refuses', async () => {
    const asked: string[] = [];
    let isOpen = false;
    const proxy = createServer();
    let target = 0;
    proxy.on('connect', (request, socket) => {
      asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
      if (!isOpen) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
        return;
      }
      const onward = connect(target, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    await new Promise<void>((resolve) => {
      proxy.listen(0, '127.0.0.1', resolve);
    });
    const proxyUrl = `http://user:pass@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const { acme, bolt, close } = await twoIslands({ acme: { proxyUrl } });
    try {
      target = bolt.port;
      bolt.manager.start();
      const urls = ['ws://link.bolt.example'];
      acme.partners.set('bolt.test', bolt.asPartner({ urls, allowCleartext: true }));
      acme.manager.start();
      await until(() => acme.hasLogged('The proxy answered 407'));
      isOpen = true;
      acme.manager.partnersChanged();
      await until(() => acme.isUp('bolt.test'));
      const credentials = Buffer.from('user:pass').toString('base64');
      assert.deepEqual(new Set(asked), new Set([`link.bolt.example:80 Basic ${credentials}`]));
    } finally {
      await close();
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});
