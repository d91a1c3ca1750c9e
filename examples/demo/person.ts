type Json = Record<string, unknown>;

/** A message in the form in which servers exchange it. */
export interface Event {
  readonly sender: string;
  readonly content: { readonly body: string };
  readonly hashes: { readonly sha256: string };
  /** By server and key id. */
  readonly signatures: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A person at a Matrix client: the few calls that the demo needs, over plain HTTP. */
export class Person {
  readonly userId: string;
  readonly #url: string;
  readonly #token: string;

  private constructor(url: string, userId: string, token: string) {
    this.#url = url;
    this.userId = userId;
    this.#token = token;
  }

  static async logIn(url: string, localpart: string, password: string): Promise<Person> {
    const answer = await call(url, 'POST', '/_matrix/client/v3/login', undefined, {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: localpart },
      password,
    });
    return new Person(url, String(answer['user_id']), String(answer['access_token']));
  }

  createRoom(name: string): Promise<string> {
    return this.#call('POST', '/createRoom', { name, preset: 'private_chat' }).then((a) =>
      String(a['room_id']),
    );
  }

  async invite(roomId: string, userId: string): Promise<void> {
    await this.#call('POST', `/rooms/${encodeURIComponent(roomId)}/invite`, { user_id: userId });
  }

  async join(roomId: string): Promise<void> {
    await this.#call('POST', `/join/${encodeURIComponent(roomId)}`, {});
  }

  async say(roomId: string, body: string, transaction: string): Promise<string> {
    const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${encodeURIComponent(transaction)}`;
    return String((await this.#call('PUT', path, { msgtype: 'm.text', body }))['event_id']);
  }

  /** The messages of a room by their text, with hashes and signatures. */
  async signedEvents(roomId: string): Promise<Map<string, Event>> {
    const filter = JSON.stringify({
      event_format: 'federation',
      room: { rooms: [roomId], timeline: { limit: 50, types: ['m.room.message'] } },
    });
    const sync = await this.#call('GET', `/sync?timeout=0&filter=${encodeURIComponent(filter)}`);
    const rooms = (sync['rooms'] ?? {}) as { join?: Record<string, { timeline?: { events?: Event[] } }> };
    const events = rooms.join?.[roomId]?.timeline?.events ?? [];
    return new Map(events.map((event) => [event.content.body, event]));
  }

  /** The messages of a room, oldest first. */
  async messages(roomId: string): Promise<{ eventId: string; sender: string; text: string }[]> {
    const path = `/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=100`;
    const chunk = (await this.#call('GET', path))['chunk'] as Json[];
    return chunk
      .filter((event) => event['type'] === 'm.room.message')
      .map((event) => ({
        eventId: String(event['event_id']),
        sender: String(event['sender']),
        text: String((event['content'] as Json)['body']),
      }))
      .reverse();
  }

  /** Waits until the room's texts are these, and says so; gives up after 30 seconds. */
  async sees(roomId: string, texts: readonly string[]): Promise<void> {
    const giveUp = Date.now() + 30_000;
    for (;;) {
      const seen = (await this.messages(roomId)).map(({ text }) => text);
      if (texts.every((text) => seen.includes(text))) return;
      if (Date.now() > giveUp) throw new Error(`${this.userId} sees ${seen.join(' | ')}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #call(method: string, path: string, body?: Json): Promise<Json> {
    return call(this.#url, method, `/_matrix/client/v3${path}`, this.#token, body);
  }
}

async function call(url: string, method: string, path: string, token?: string, body?: Json): Promise<Json> {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Json;
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}
