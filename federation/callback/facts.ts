import type { CallbackAction } from '../../policy/partner-policy.ts';
import type { Question } from '../../policy/question.ts';
import type { JsonObject } from '../../protocol/json.ts';

/** What goes to the callback beside the question: it is our own check, so it sees what it is to judge. */
export interface Material {
  readonly eventType?: string | undefined;
  readonly content?: JsonObject | undefined;
  readonly file?: FileMaterial | undefined;
}

export interface FileMaterial {
  readonly uri: string;
  /** Bytes. */
  readonly size: number;
  readonly mime: string;
  readonly sha256: string;
  open(): AsyncIterable<Buffer>;
}

/** The JSON that a callback is posted. */
export function factsOf(action: CallbackAction, question: Question, material: Material): JsonObject {
  const local = 'local' in question ? question.local : undefined;
  const remote = 'remote' in question ? question.remote : [];
  const room = 'room' in question ? question.room : undefined;
  const { eventType, content, file } = material;
  return {
    action,
    direction: question.direction,
    partner: question.remoteServer,
    ...(local === undefined ? {} : { local: local.userId }),
    remote: [...remote],
    ...(room === undefined
      ? {}
      : { room: { room_id: room.roomId, encrypted: room.isEncrypted, servers: [...room.servers] } }),
    ...(action !== 'message' || content === undefined ? {} : { event: { type: eventType ?? '', content } }),
    ...(file === undefined
      ? {}
      : { file: { uri: file.uri, size: file.size, mime: file.mime, sha256: file.sha256 } }),
  };
}
