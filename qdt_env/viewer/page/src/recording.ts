// Reads a recording: the chain of records, the deflate stream within, the columns. See docs/replay.md for the format.
import { sha256 } from "@noble/hashes/sha2.js";
import { inflateSync } from "fflate";

const MAGIC = "QDT recording 1\n";
const FRAME = 9;
const CHECK = 4;
const DIGEST = 32;

export interface ColumnInfo {
  name: string;
  type: "u1" | "u2" | "i1" | "i2" | "i4";
  scale: number;
  none: number;
  n: number;
}

export interface Header {
  format: number;
  package: { name: string; version: string };
  mission: {
    scenario: string; seed: string; episode: number; horizon_steps: number; dt_s: number; start_min: number;
    suite: string; threats: string; channel: string; control: string; reward: string; perfect_information: boolean;
    patients: number; killed_at_once: number; player: Record<string, string>;
  };
  config: Record<string, Record<string, number>>;
  team: string[];
  building: {
    name: string;
    digest: string;
    zones: {
      id: string[]; name: string[]; department: string[]; kind: string[]; storey: number[]; area_m2: number[];
      position_m: [number, number][]; bbox_m: [number, number, number, number][]; indoor: boolean[]; gateway: number[];
    };
    passages: {
      id: string[]; zones: [number, number][]; kind: string[]; door_m: [number, number][];
      line_m: [[number, number], [number, number]][];
    };
    entrances: number[];
    depots: number[];
    gateways: number[];
  };
  names: Record<string, string[]>;
  columns: ColumnInfo[];
  exact: string[];
  ledger: null | { log_id: string; header: string; size: number; frontier: string[] };
}

export interface TreeHead { size: number; root: string; step: number; signer: string; signature: string }

export type Numbers = Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array;

export interface Recording {
  header: Header;
  steps: number; // steps made; the states are one more
  columns: Map<string, { info: ColumnInfo; data: Numbers }>;
  exact: Map<string, Float64Array>;
  leaves: Uint8Array[]; // of step 1, 2, ...
  heads: { after: number; head: TreeHead }[]; // signed after so many steps
  end: null | { over: boolean; metrics: Record<string, number> };
  records: number;
  digest: string; // of the chain, hexadecimal
}

/** A file that is no recording, or whose content is not what was recorded. */
export class RecordingError extends Error {}

interface Frame { kind: string; body: Uint8Array; size: number; digest: Uint8Array }

export const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

export function unhex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let k = 0; k < bytes.length; k++) bytes[k] = parseInt(text.slice(2 * k, 2 * k + 2), 16);
  return bytes;
}

/** The recording in these bytes; one that was cut comes without `end`. */
export function readRecording(data: Uint8Array): Recording {
  const frames = readFrames(data);
  const payloads = inflateFrames(frames);
  if (frames.length < 2 || frames[0].kind !== "H" || frames[1].kind !== "S") {
    throw new RecordingError("The recording was cut before its first state: there is nothing to show.");
  }
  const text = new TextDecoder();
  const header = JSON.parse(text.decode(payloads[0])) as Header;
  const states = payloads.filter((_, k) => frames[k].kind === "S");
  const last = frames[frames.length - 1];
  const heads: Recording["heads"] = [];
  let after = -1;
  frames.forEach((frame, k) => {
    if (frame.kind === "S") after += 1;
    if (frame.kind === "T") heads.push({ after, head: JSON.parse(text.decode(payloads[k])) as TreeHead });
  });
  return {
    header,
    steps: states.length - 1,
    ...readStates(header, states),
    heads,
    end: last.kind === "E" ? JSON.parse(text.decode(payloads[payloads.length - 1])) : null,
    records: frames.length,
    digest: hex(last.digest),
  };
}

/** The whole records; stops quietly where the file was cut, and throws where it was altered. */
function readFrames(data: Uint8Array): Frame[] {
  const magic = new TextEncoder().encode(MAGIC);
  if (!magic.every((byte, k) => data[k] === byte)) throw new RecordingError("This is no recording of version 1.");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const frames: Frame[] = [];
  let digest = sha256(magic);
  let at = magic.length;
  while (at < data.length) {
    const where = `record ${frames.length} (byte ${at})`;
    if (frames.length && frames[frames.length - 1].kind === "E") {
      throw new RecordingError(`The recording was altered: there are bytes after its end, at ${where}.`);
    }
    const start = at + FRAME + CHECK;
    if (start > data.length) break;
    const frame = data.subarray(at, at + FRAME);
    const check = sha256.create().update(digest).update(frame).digest();
    if (!check.subarray(0, CHECK).every((byte, k) => data[at + FRAME + k] === byte)) {
      throw new RecordingError(`The recording was altered: the length or the place of ${where} was changed.`);
    }
    const length = view.getUint32(at + 1, true);
    const size = view.getUint32(at + 5, true);
    const end = start + length + DIGEST;
    if (end > data.length) break;
    const body = data.subarray(start, start + length);
    digest = sha256.create().update(digest).update(frame).update(body).digest();
    if (!digest.every((byte, k) => data[start + length + k] === byte)) {
      throw new RecordingError(`The recording was altered: the content of ${where} was changed.`);
    }
    frames.push({ kind: String.fromCharCode(frame[0]), body, size, digest });
    at = end;
  }
  return frames;
}

/** The payloads: the bodies are one deflate stream, flushed after every record; an empty last block ends it here. */
function inflateFrames(frames: Frame[]): Uint8Array[] {
  const wanted = frames.reduce((sum, frame) => sum + frame.size, 0);
  let whole: Uint8Array;
  try {
    whole = inflateSync(joined([...frames.map((frame) => frame.body), Uint8Array.of(3, 0)]), { out: new Uint8Array(wanted) });
  } catch (error) {
    throw new RecordingError(`The recording was altered: ${error instanceof Error ? error.message : error}.`);
  }
  if (wanted !== whole.length) {
    throw new RecordingError(`The recording was altered: ${whole.length} bytes where ${wanted} were recorded.`);
  }
  let at = 0;
  return frames.map((frame) => whole.subarray(at, (at += frame.size)));
}

function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const ARRAYS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array };
const BYTES = { u1: 1, i1: 1, u2: 2, i2: 2, i4: 4 };

/** Columns (summed up from their differences), exact numbers and leaves. */
function readStates(header: Header, states: Uint8Array[]): Pick<Recording, "columns" | "exact" | "leaves"> {
  const columns = header.columns.map((info) => ({ info, data: new ARRAYS[info.type](info.n * states.length) as Numbers }));
  const fixed = sumUp(states, columns);
  const exact: Recording["exact"] = new Map(header.exact.map((name) => [name, new Float64Array(states.length)]));
  const leaves: Uint8Array[] = [];
  states.forEach((state, t) => {
    const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
    header.exact.forEach((name, k) => (exact.get(name)![t] = view.getFloat64(fixed + 8 * k, true)));
    if (t > 0 && header.ledger) leaves.push(state.subarray(fixed + 8 * header.exact.length));
  });
  return { columns: new Map(columns.map((column) => [column.info.name, column])), exact, leaves };
}

/** Write the running sums of the columns' differences; returns the bytes of a step that the columns take.
 *  Almost all differences are zero, so they are looked for word by word. */
function sumUp(states: Uint8Array[], columns: { info: ColumnInfo; data: Numbers }[]): number {
  const fixed = columns.reduce((sum, { info }) => sum + info.n * BYTES[info.type], 0);
  const owner = new Uint16Array(fixed);
  const first: number[] = [];
  let at = 0;
  columns.forEach(({ info }, c) => {
    first.push(at);
    owner.fill(c, at, (at += info.n * BYTES[info.type]));
  });
  const bytes = new Uint8Array(4 * Math.ceil(fixed / 4));
  const words = new Uint32Array(bytes.buffer);
  states.forEach((state, t) => {
    if (t) for (const { info, data } of columns) data.copyWithin(t * info.n, (t - 1) * info.n, t * info.n);
    bytes.set(state.subarray(0, fixed));
    for (let word = 0; word < words.length; word++) {
      if (words[word] === 0) continue;
      for (let k = 4 * word; k < Math.min(4 * word + 4, fixed); k++) {
        if (bytes[k] === 0) continue;
        const { info, data } = columns[owner[k]];
        const offset = k - first[owner[k]];
        const width = BYTES[info.type];
        data[t * info.n + Math.floor(offset / width)] += bytes[k] << (8 * (offset % width)); // wraps as the writer's did
      }
    }
  });
  return fixed;
}
