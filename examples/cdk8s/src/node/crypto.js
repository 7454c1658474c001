// Node's `crypto`, as far as names and addresses of constructs need it.

import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

const HASHES = { sha1, sha256 };

export function createHash(algorithm) {
  const hash = HASHES[algorithm]?.create();
  if (!hash) throw new Error(`the hash \`${algorithm}\` is not to be had: use sha256`);
  const encoder = new TextEncoder();
  return {
    update(data) {
      hash.update(typeof data === 'string' ? encoder.encode(data) : data);
      return this;
    },
    digest(encoding) {
      const bytes = hash.digest();
      return encoding === 'hex' ? bytesToHex(bytes) : bytes;
    },
  };
}
