import { isObject, type JsonObject, type JsonValue } from '../protocol/json.ts';

/** What is kept in order by itself: events; messages to devices; signs of life that may overtake. */
export type Lane = 'pdu' | 'device' | 'ephemeral';

/** Not of Matrix: where an island says how a partner's lanes stand there. */
export const lanesPath = '/_archipelago/federation/v1/lanes';

export const lanes: readonly Lane[] = ['pdu', 'device', 'ephemeral'];

/** Not a lane with numbers: what is neither stored nor repeated, such as typing. */
export const volatileLane = 'volatile';

export function isLane(text: string | undefined): text is Lane {
  return lanes.some((lane) => lane === text);
}

/** A place in a lane: the epoch (a random id for one run of numbers) and a number counted from 1 in it. */
export interface LanePlace {
  readonly epoch: string;
  readonly sequence: number;
}

/** How one lane stands, as told to the partner. */
interface LaneStanding {
  /** What was received last from the partner and is on disk; undefined: never anything. */
  readonly received?: LanePlace | undefined;
  /** What will be sent next to the partner. */
  readonly next?: LanePlace | undefined;
}

export type LaneStandings = Readonly<Partial<Record<Lane, LaneStanding>>>;

export interface Hello {
  /** New at each start of the process. */
  readonly boot: string;
  readonly lanes: LaneStandings;
}

export function helloJson(hello: Hello): JsonObject {
  return { boot: hello.boot, lanes: standingsJson(hello.lanes) };
}

export function standingsJson(standings: LaneStandings): JsonObject {
  const json: JsonObject = {};
  for (const lane of lanes) {
    const standing = standings[lane];
    if (standing !== undefined)
      json[lane] = { received: placeJson(standing.received), next: placeJson(standing.next) };
  }
  return json;
}

export function placeJson(place: LanePlace | undefined): JsonValue {
  return place === undefined ? null : { epoch: place.epoch, sequence: place.sequence };
}

/** Reads a hello; what is missing or not understood counts as not said, so that islands of other ages get on. */
export function readHello(json: JsonObject): Hello {
  const boot = json['boot'];
  return { boot: typeof boot === 'string' ? boot.slice(0, 64) : '', lanes: readStandings(json['lanes']) };
}

export function readStandings(json: JsonValue | undefined): LaneStandings {
  const standings: Partial<Record<Lane, LaneStanding>> = {};
  if (!isObject(json)) return standings;
  for (const lane of lanes) {
    const standing = json[lane];
    if (isObject(standing))
      standings[lane] = { received: readPlace(standing['received']), next: readPlace(standing['next']) };
  }
  return standings;
}

export function readPlace(json: JsonValue | undefined): LanePlace | undefined {
  if (!isObject(json)) return undefined;
  const { epoch, sequence } = json;
  if (typeof epoch !== 'string' || !isEpoch(epoch)) return undefined;
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0) return undefined;
  return { epoch, sequence };
}

function isEpoch(text: string): boolean {
  return /^[A-Za-z0-9_-]{8,64}$/.test(text);
}

/** The lane and numbers of a transaction, as they stand in the header of its request. */
export interface LaneHeader {
  readonly lane: Lane;
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
}

export function laneHeaders(header: LaneHeader): Record<string, string> {
  return {
    lane: header.lane,
    epoch: header.epoch,
    first: String(header.first),
    last: String(header.last),
  };
}

/** Undefined where the header is not one: a wrong number, an unknown lane, a part missing. */
export function readLaneHeaders(headers: Readonly<Record<string, string>>): LaneHeader | undefined {
  const { lane, epoch } = headers;
  const first = sequenceOf(headers['first']);
  const last = sequenceOf(headers['last']);
  if (!isLane(lane) || epoch === undefined || !isEpoch(epoch)) return undefined;
  if (first === undefined || last === undefined || last < first) return undefined;
  return { lane, epoch, first, last };
}

function sequenceOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : undefined;
}
