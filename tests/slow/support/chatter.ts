import assert from 'node:assert/strict';

/**
 * People of one island who chat over loopback for a while, and who ask it again and again for what is elsewhere.
 * `URL SECONDS PASSWORD` as arguments; prints how many messages were sent.
 */
const [url = '', seconds = '0', password = ''] = process.argv.slice(2);

async function call(
  method: string,
  path: string,
  token?: string,
  body?: unknown,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // Whatever an island answers here is an object, but for files.
  const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, json };
}

async function logIn(user: string): Promise<string> {
  const { status, json } = await call('POST', '/_matrix/client/v3/login', undefined, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password,
  });
  assert.equal(status, 200, JSON.stringify(json));
  return String(json['access_token']);
}

const elsewhere = 'matrix.example.org';
const [ann, ben] = [await logIn('ann'), await logIn('ben')];
const made = await call('POST', '/_matrix/client/v3/createRoom', ann, { preset: 'public_chat' });
assert.equal(made.status, 200, JSON.stringify(made.json));
const room = encodeURIComponent(String(made.json['room_id']));
const joined = await call('POST', `/_matrix/client/v3/rooms/${room}/join`, ben, {});
assert.equal(joined.status, 200, JSON.stringify(joined.json));

/** What tempts an island to ask others: each has to be refused. */
const temptations: readonly [string, string, unknown?][] = [
  ['POST', `/_matrix/client/v3/rooms/${room}/invite`, { user_id: `@eve:${elsewhere}` }],
  ['POST', '/_matrix/client/v3/createRoom', { invite: [`@eve:${elsewhere}`] }],
  ['POST', `/_matrix/client/v3/join/${encodeURIComponent(`#all:${elsewhere}`)}`, {}],
  [
    'POST',
    `/_matrix/client/v3/join/${encodeURIComponent('!room:192.0.2.7')}?via=192.0.2.7&via=${elsewhere}`,
    {},
  ],
  ['GET', `/_matrix/client/v3/profile/${encodeURIComponent(`@eve:${elsewhere}`)}`],
  ['GET', `/_matrix/client/v3/directory/room/${encodeURIComponent(`#all:${elsewhere}`)}`],
  ['GET', `/_matrix/client/v1/media/download/${elsewhere}/abcdef`],
  ['GET', '/_matrix/client/v1/media/download/[2001:db8::7]:8448/abcdef'],
];

let sent = 0;
let since = '';
const until = Date.now() + Number(seconds) * 1_000;
while (Date.now() < until) {
  for (const [index, token] of [ann, ben].entries()) {
    const path = `/_matrix/client/v3/rooms/${room}/send/m.room.message/${index}-${sent}`;
    const { status } = await call('PUT', path, token, {
      msgtype: 'm.text',
      body: `message ${sent} to https://${elsewhere}/page and @eve:${elsewhere}`,
    });
    assert.equal(status, 200);
    sent += 1;
  }
  const sync = await call('GET', `/_matrix/client/v3/sync?timeout=0&since=${since}`, ben);
  assert.equal(sync.status, 200);
  since = String(sync.json['next_batch']);
  const [method, path, body] = temptations[sent % temptations.length] ?? ['GET', '/'];
  const { status } = await call(method, path, ann, body);
  assert.ok(status >= 400, `${method} ${path} was answered ${status}`);
  await new Promise((resolve) => setTimeout(resolve, 100));
}
console.log(sent);
