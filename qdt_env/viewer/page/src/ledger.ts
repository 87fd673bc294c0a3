// Checks the ledger within a recording: every leaf against what is shown, every root, every signature.
import { sha256 } from "@noble/hashes/sha2.js";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { Recording, TreeHead, hex, unhex } from "./recording";

const LEAF_HEAD = 32; // bytes before the verdicts
const DELIVERED = 0;
const LOST = 1;
const FORGED = 5;
const TRUST_STEP = 0.0101; // trust that moved by less than 0.01 need not be in the ledger; and rounding

export interface CheckedHead { head: TreeHead; after: number }

export interface LedgerCheck {
  logId: string;
  leaves: number;
  heads: CheckedHead[];
  signed: number; // steps under a signed head
  problem: string;
}

interface Leaf { step: number; verdicts: Uint8Array; trust: [number, number][] }

/** Walk through the ledger, giving the page time to breathe now and then. */
export async function checkLedger(recording: Recording): Promise<LedgerCheck | null> {
  const given = recording.header.ledger;
  if (given === null) return null;
  const check: LedgerCheck = { logId: given.log_id, leaves: 0, heads: [], signed: 0, problem: "" };
  try {
    const keys = readKeys(unhex(given.header));
    const logId = sha256(unhex(given.header));
    if (hex(logId) !== given.log_id) throw new Error("the ledger's id is not that of its header");
    const tree = new Frontier(given.size, given.frontier.map(unhex));
    const heads = [...recording.heads];
    const told = Float64Array.from({ length: recording.header.team.length }, (_, r) => trustAt(recording, 0, r));
    for (let t = 1; t <= recording.steps; t++) {
      const leaf = readLeaf(recording.leaves[t - 1]);
      compare(recording, leaf, t, told);
      tree.append(recording.leaves[t - 1]);
      check.leaves += 1;
      while (heads.length && heads[0].after <= t) {
        const { head } = heads.shift()!;
        checkHead(head, tree, leaf, logId, keys);
        check.heads.push({ head, after: t });
        check.signed = t;
        await new Promise((resume) => setTimeout(resume));
      }
    }
    if (heads.length) throw new Error(`the head of ${heads[0].head.size} leaves comes after the last leaf`);
  } catch (error) {
    check.problem = error instanceof Error ? error.message : String(error);
  }
  return check;
}

function trustAt(recording: Recording, t: number, robot: number): number {
  const { info, data } = recording.columns.get("twin.robot.trust")!;
  return data[t * info.n + robot] / info.scale;
}

/** The leaf is that of the step, and says of its messages and of trust what is shown. */
function compare(recording: Recording, leaf: Leaf, t: number, told: Float64Array): void {
  if (leaf.step !== t - 1) throw new Error(`step ${t}: its leaf is that of step ${leaf.step + 1}`);
  const robots = recording.header.team.length;
  const up = recording.columns.get("up.verdict")!;
  const down = recording.columns.get("down.verdict")!;
  const shown: number[] = [];
  for (let k = 0; k < up.info.n; k++) shown.push(up.data[t * up.info.n + k]);
  for (let k = 0; k < robots; k++) shown.push(down.data[t * down.info.n + k]);
  const known = shown.map((verdict) => (verdict === FORGED ? DELIVERED : verdict < 0 ? LOST : verdict));
  if (known.length !== leaf.verdicts.length || known.some((verdict, k) => verdict !== leaf.verdicts[k])) {
    throw new Error(`step ${t}: the verdicts shown are not those of the ledger`);
  }
  for (const [source, trust] of leaf.trust) told[source] = trust;
  for (let r = 0; r < robots; r++) {
    if (Math.abs(told[r] - trustAt(recording, t, r)) > TRUST_STEP) {
      throw new Error(`step ${t}: the trust shown is not that of the ledger`);
    }
  }
}

function checkHead(head: TreeHead, tree: Frontier, leaf: Leaf, logId: Uint8Array, keys: Map<string, Uint8Array>): void {
  const root = tree.root();
  if (head.size !== tree.size || head.root !== hex(root) || head.step !== leaf.step) {
    throw new Error(`the head of ${head.size} leaves does not fit the leaves recorded`);
  }
  const key = keys.get(head.signer);
  if (!key) throw new Error(`${head.signer} is no validator of this ledger`);
  const context = new TextEncoder().encode("qdt-env ledger tree head 1\0");
  const message = new Uint8Array(context.length + 32 + 16 + 32);
  message.set(context);
  message.set(logId, context.length);
  const view = new DataView(message.buffer);
  view.setBigUint64(context.length + 32, BigInt(head.size), true);
  view.setBigUint64(context.length + 40, BigInt(head.step), true);
  message.set(root, context.length + 48);
  let good = false;
  try {
    good = ml_dsa44.verify(unhex(head.signature), message, key);
  } catch {
    good = false;
  }
  if (!good) throw new Error(`the signature of ${head.signer} under the head of ${head.size} leaves is not good`);
}

/** Public keys by validator, from the ledger's header. */
function readKeys(header: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const fields: Uint8Array[] = [];
  for (let at = 26; at + 2 <= header.length; ) {
    const size = view.getUint16(at, true);
    fields.push(header.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  const text = new TextDecoder();
  if (text.decode(fields[0]) !== "ML-DSA-44") throw new Error(`signed with ${text.decode(fields[0])}, not ML-DSA-44`);
  const keys = new Map<string, Uint8Array>();
  for (let k = 1; k + 1 < fields.length; k += 2) keys.set(text.decode(fields[k]), fields[k + 1]);
  return keys;
}

function readLeaf(data: Uint8Array): Leaf {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < LEAF_HEAD || data[0] !== 0x51 || data[1] !== 0x4c || data[2] !== 1) throw new Error("a leaf is none");
  const [verdicts, reports, views, changes] = [24, 26, 28, 30].map((at) => view.getUint16(at, true));
  let at = LEAF_HEAD + verdicts + 34 * (reports + views);
  if (at + 6 * changes + 32 * data[3] !== data.length) throw new Error("a leaf has another length than it says");
  const trust: [number, number][] = [];
  for (let k = 0; k < changes; k++, at += 6) trust.push([view.getUint16(at, true), view.getFloat32(at + 2, true)]);
  return { step: view.getUint32(20, true), verdicts: data.subarray(LEAF_HEAD, LEAF_HEAD + verdicts), trust };
}

/** The right edge of a Merkle tree (RFC 9162, 2.1): hashes of the complete subtrees, largest first. */
class Frontier {
  constructor(public size: number, private hashes: Uint8Array[]) {}

  append(data: Uint8Array): void {
    this.hashes.push(sha256.create().update(Uint8Array.of(0)).update(data).digest());
    this.size += 1;
    for (let complete = this.size; complete % 2 === 0; complete /= 2) {
      const right = this.hashes.pop()!;
      this.hashes.push(node(this.hashes.pop()!, right));
    }
  }

  root(): Uint8Array {
    return this.hashes.reduceRight((right, left) => node(left, right));
  }
}

function node(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256.create().update(Uint8Array.of(1)).update(left).update(right).digest();
}
