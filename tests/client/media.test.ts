import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Answer, Client, ok, refused, textAt, v1 } from '../support/client.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

const maxUploadSize = 64 * 1024;
const upload = '/_matrix/media/v3/upload';

describe('media', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let alice: Client;
  let bob: Client;
  let anybody: Client;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { maxUploadSize });
    island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    anybody = Client.anonymous(island);
  });

  after(() => network.stop());

  const send = (
    client: Client,
    raw: string | Buffer | Readable,
    options: { readonly type?: string; readonly name?: string } = {},
  ): Promise<Answer> =>
    client.request(
      'POST',
      options.name === undefined ? upload : `${upload}?filename=${encodeURIComponent(options.name)}`,
      {
        raw,
        headers: options.type === undefined ? {} : { 'content-type': options.type },
      },
    );

  /** Uploads; gives server name and media id. */
  const stored = async (...parameters: Parameters<typeof send>): Promise<[string, string]> => {
    const uri = textAt(await ok(send(...parameters)), 'content_uri');
    const match = /^mxc:\/\/([^/]+)\/([A-Za-z0-9_-]+)$/.exec(uri);
    if (match?.[1] === undefined || match[2] === undefined) assert.fail(`not an mxc URI: ${uri}`);
    return [match[1], match[2]];
  };

  const download = (client: Client, server: string, id: string, name?: string): Promise<Answer> =>
    client.get(
      name === undefined ? v1`/media/download/${server}/${id}` : v1`/media/download/${server}/${id}/${name}`,
    );

  /** Files that are being written. */
  const parts = (): Promise<string[]> => readdir(join(island.directory, 'media', 'incoming'));

  it('is stored and given back to who is logged in, byte for byte', async () => {
    for (const bytes of [randomBytes(50_000), Buffer.alloc(0), Buffer.from('{"not": json')]) {
      const [server, id] = await stored(alice, bytes, { type: 'image/png', name: 'a picture.png' });
      assert.equal(server, 'acme.test');
      const { status, headers, bytes: got } = await download(bob, server, id);
      assert.equal(status, 200);
      assert.ok(got.equals(bytes));
      assert.equal(headers['content-type'], 'image/png');
      assert.equal(headers['content-length'], String(bytes.length));
      assert.equal(headers['content-disposition'], 'inline; filename="a picture.png"');
      await refused(401, 'M_MISSING_TOKEN', download(anybody, server, id));
      await refused(401, 'M_MISSING_TOKEN', download(anybody, server, id, 'x.png'));
    }
  });

  it('cannot do anything in a browser', async () => {
    const [server, id] = await stored(alice, '<script>alert(1)</script>', {
      type: 'text/html',
      name: 'x.html',
    });
    const { headers } = await download(alice, server, id);
    assert.match(
      String(headers['content-security-policy']),
      /^sandbox; default-src 'none'; script-src 'none'/,
    );
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cross-origin-resource-policy'], 'cross-origin');
    assert.equal(headers['content-disposition'], 'attachment; filename="x.html"');
  });

  it('is shown in place only if it is of a harmless type, however that is written', async () => {
    const kinds: [string | undefined, 'inline' | 'attachment'][] = [
      ['image/jpeg', 'inline'],
      ['IMAGE/JPEG; charset=x', 'inline'],
      ['text/plain; charset=utf-8', 'inline'],
      ['TEXT/HTML', 'attachment'],
      ['image/svg+xml', 'attachment'],
      ['application/pdf', 'attachment'],
      ['application/xhtml+xml', 'attachment'],
      ['image/jpeg,text/html', 'attachment'],
      [undefined, 'attachment'],
    ];
    for (const [type, kind] of kinds) {
      const [server, id] = await stored(alice, 'x', type === undefined ? {} : { type });
      const { headers } = await download(alice, server, id);
      assert.equal(headers['content-disposition'], kind, type);
      assert.equal(headers['content-type'], type ?? 'application/octet-stream');
    }
  });

  it('carries the name of the upload, or the one in the path, whatever is in it', async () => {
    const names: [string, string][] = [
      ['plain.txt', 'inline; filename="plain.txt"'],
      ['say "hi" \\o/.txt', 'inline; filename="say \\"hi\\" \\\\o/.txt"'],
      ["it's (ü) 100%*.txt", "inline; filename*=utf-8''it%27s%20%28%C3%BC%29%20100%25%2A.txt"],
      ['evil\r\nSet-Cookie: a=b', "inline; filename*=utf-8''evil%0D%0ASet-Cookie%3A%20a%3Db"],
      ['🎉\0', "inline; filename*=utf-8''%F0%9F%8E%89%00"],
    ];
    const [server, plain] = await stored(alice, 'x', { type: 'text/plain' });
    for (const [name, header] of names) {
      const [, id] = await stored(alice, 'x', { type: 'text/plain', name });
      assert.equal((await download(alice, server, id)).headers['content-disposition'], header);
      assert.equal((await download(alice, server, plain, name)).headers['content-disposition'], header);
      assert.equal((await download(alice, server, plain)).headers['content-disposition'], 'inline');
    }
  });

  it('is refused when it is too large, announced or not, and leaves nothing behind', async () => {
    const files = async (): Promise<number> =>
      (await readdir(join(island.directory, 'media'), { recursive: true })).length;
    const [, last] = await stored(alice, randomBytes(maxUploadSize), {});
    assert.ok(last);
    const before = await files();
    await refused(413, 'M_TOO_LARGE', send(alice, randomBytes(maxUploadSize + 1)));
    await refused(
      413,
      'M_TOO_LARGE',
      send(alice, Readable.from([randomBytes(maxUploadSize), Buffer.from('x')])),
    );
    await refused(413, 'M_TOO_LARGE', send(alice, randomBytes(20 * maxUploadSize)));
    assert.equal(await files(), before);
    assert.deepEqual(await parts(), []);
  });

  it('tells how large it may be', async () => {
    for (const path of [v1`/media/config`, '/_matrix/media/v3/config']) {
      assert.deepEqual(await ok(alice.get(path)), { 'm.upload.size': maxUploadSize });
      await refused(401, 'M_MISSING_TOKEN', anybody.get(path));
    }
    await refused(401, 'M_MISSING_TOKEN', send(anybody, 'x'));
  });

  it('is not found under ids that are none, and no path leads out of its folder', async () => {
    await writeFile(join(island.directory, 'media', 'secret'), 'a secret');
    for (const id of [
      'nothing',
      '..',
      '.',
      '../homeserver.db',
      '../../etc/passwd',
      'secret',
      'a\0b',
      'x'.repeat(5_000),
    ]) {
      await refused(404, 'M_NOT_FOUND', download(alice, 'acme.test', id));
    }
    // Undecoded dots are no folder either.
    const raw = await alice.request(
      'GET',
      '/_matrix/client/v1/media/download/acme.test/../../../../homeserver.db',
    );
    assert.equal(raw.status, 404);
    const stranger = await download(alice, 'stranger.test', 'abc');
    assert.deepEqual([stranger.status, stranger.body['errcode']], [403, 'M_FORBIDDEN']);
    for (const server of ['..', '', 'not a server', '%2e%2e']) {
      const { status } = await download(alice, server, 'abc');
      assert.ok([400, 403, 404].includes(status), `${server}: ${status}`);
    }
  });

  it('is not found when its file is gone, without a word about folders', async () => {
    const [server, id] = await stored(alice, 'soon gone');
    await rm(join(island.directory, 'media'), { recursive: true });
    const { error } = await refused(404, 'M_NOT_FOUND', download(alice, server, id));
    assert.ok(!String(error).includes(island.directory));
    await stored(alice, 'and the next one is stored');
  });

  it('that breaks off on its way is not stored, and is no error of the server', async () => {
    const half = new Readable({ read: () => undefined });
    half.push(randomBytes(1_000));
    const sending = assert.rejects(send(alice, half), /no network/);
    await network.until(async () => (await parts()).length === 1, 'the upload does not begin');
    half.destroy(new Error('the phone has no network any more'));
    await sending;
    await network.until(async () => (await parts()).length === 0, 'the half of a file is kept');
    assert.deepEqual(
      island.lines.filter(({ msg }) => msg === 'request failed'),
      [],
    );
  });

  it('is not made small yet, nor served to who is not logged in', async () => {
    const [server, id] = await stored(alice, 'x', { type: 'image/png' });
    const size = { width: 32, height: 32 };
    await refused(404, 'M_UNRECOGNIZED', alice.get(v1`/media/thumbnail/${server}/${id}`, size));
    await refused(404, 'M_UNRECOGNIZED', alice.get(v1`/media/preview_url`, { url: 'https://acme.test/' }));
    await refused(404, 'M_UNRECOGNIZED', anybody.get(`/_matrix/media/v3/download/${server}/${id}`));
    await refused(404, 'M_UNRECOGNIZED', anybody.get(`/_matrix/media/v3/thumbnail/${server}/${id}`, size));
    await refused(404, 'M_UNRECOGNIZED', alice.post('/_matrix/media/v1/create'));
  });

  it('of a partner comes over the link, once, with its name and type', async () => {
    const bytes = randomBytes(30_000);
    const [server, id] = await stored(alice, bytes, { type: 'image/jpeg', name: 'Grüße (1).jpg' });
    const eve = await Client.create(network.island('bolt.test'), 'eve');
    for (const round of ['fetched', 'kept']) {
      const { status, headers, bytes: got } = await download(eve, server, id);
      assert.equal(status, 200, round);
      assert.ok(got.equals(bytes));
      assert.equal(headers['content-type'], 'image/jpeg');
      assert.equal(headers['content-disposition'], "inline; filename*=utf-8''Gr%C3%BC%C3%9Fe%20%281%29.jpg");
      network.cut('acme.test', 'bolt.test');
    }
    network.heal('acme.test', 'bolt.test');
    await network.linked('acme.test', 'bolt.test');
    await refused(404, 'M_NOT_FOUND', download(eve, 'acme.test', 'nothing'));
  });
});
