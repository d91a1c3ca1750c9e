import assert from 'node:assert/strict';
import { linkUrls, objectionToUrls } from '../../server/partners/own-card.ts';
import { ConfigFolder } from '../config/support.ts';

const path = '/_archipelago/link/v1';

async function urlsOf(text: string, serverName = 'acme.test'): Promise<string[]> {
  return linkUrls(await new ConfigFolder(`server_name: "${serverName}"\n${text}\n`).config());
}

describe('The link URLs on a card', () => {
  it('come from public_baseurl, with TLS where that has it', async () => {
    assert.deepEqual(await urlsOf('public_baseurl: https://chat.acme.test'), [`wss://chat.acme.test${path}`]);
    assert.deepEqual(await urlsOf('public_baseurl: https://acme.test/chat/'), [
      `wss://acme.test/chat${path}`,
    ]);
    assert.deepEqual(await urlsOf('public_baseurl: http://10.0.0.7:8008/'), [`ws://10.0.0.7:8008${path}`]);
  });

  it('else from the listeners that serve links', async () => {
    assert.deepEqual(await urlsOf(''), [`ws://127.0.0.1:8008${path}`]);
    assert.deepEqual(await urlsOf('listeners: [{port: 8123, bind_addresses: ["::1", 10.0.0.7]}]'), [
      `ws://[::1]:8123${path}`,
      `ws://10.0.0.7:8123${path}`,
    ]);
    assert.deepEqual(
      await urlsOf('listeners: [{port: 8008, resources: [client]}, {port: 8448, resources: [link]}]'),
      [`ws://127.0.0.1:8448${path}`],
    );
    assert.deepEqual(await urlsOf('listeners: [{port: 8008, resources: [client]}]'), []);
  });

  it('have the name of the server where every address is listened on', async () => {
    const everywhere = 'listeners: [{port: 8123, bind_addresses: [0.0.0.0, "::"]}]';
    assert.deepEqual(await urlsOf(everywhere, 'acme.test:8448'), [`ws://acme.test:8123${path}`]);
    assert.deepEqual(await urlsOf(everywhere, '[2001:db8::1]:8448'), [`ws://[2001:db8::1]:8123${path}`]);
  });

  it('are objected to where the partner could not use them', () => {
    assert.match(objectionToUrls([]) ?? '', /only this island can dial/);
    assert.match(objectionToUrls([`ws://127.0.0.1:8008${path}`]) ?? '', /this machine only/);
    assert.match(objectionToUrls([`ws://acme.localhost:8008${path}`]) ?? '', /this machine only/);
    assert.match(objectionToUrls([`ws://10.0.0.7:8008${path}`]) ?? '', /has no TLS/);
    assert.equal(objectionToUrls([`wss://chat.acme.test${path}`]), undefined);
  });
});
