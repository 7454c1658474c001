// The part of Node's `fs` that cdk8s and its programs use: reading is from the source, where the
// folder that is rendered is the working directory; what is written is kept, and is the output.

import path from 'path-browserify';

let source;
let written = new Map();

// Begins a render, and returns where texts by path will be.
export function open(tree, directory) {
  source = tree;
  workingDirectory = `/${directory}`;
  written = new Map();
  return written;
}

export let workingDirectory = '/';

const absolute = (file) => path.resolve(workingDirectory, file);

export function readFileSync(file, options) {
  const at = absolute(file);
  const kept = written.get(at);
  if (kept !== undefined) return kept;
  let bytes;
  try {
    bytes = source.read(at.slice(1));
  } catch (error) {
    throw unread(at, error);
  }
  const encoding = typeof options === 'string' ? options : options?.encoding;
  return encoding ? new TextDecoder().decode(bytes) : Object.assign(bytes, { toString: decode });
}

function decode() {
  return new TextDecoder().decode(this);
}

export function readdirSync(folder) {
  const at = absolute(folder);
  try {
    return source.readDir(at.slice(1)).map((entry) => path.basename(entry.path));
  } catch (error) {
    throw unread(at, error);
  }
}

export function statSync(file, { throwIfNoEntry = true } = {}) {
  const at = absolute(file);
  try {
    const { kind, size } = source.stat(at.slice(1));
    return { size: Number(size), isFile: () => kind === 'file', isDirectory: () => kind === 'directory' };
  } catch (error) {
    if (throwIfNoEntry || error.payload?.tag !== 'not-found') throw unread(at, error);
    return undefined;
  }
}

export function existsSync(file) {
  return written.has(absolute(file)) || statSync(file, { throwIfNoEntry: false }) !== undefined;
}

export function writeFileSync(file, text) {
  written.set(absolute(file), String(text));
}

// Folders are there as soon as something is written to them.
export function mkdirSync() {}

export function mkdtempSync(prefix) {
  return `${prefix}0`;
}

function unread(at, error) {
  const tag = error.payload?.tag;
  const why = tag === 'not-found' ? 'no such file or directory' : tag === 'denied' ? 'the plugin was not granted this file' : (tag ?? error.message);
  return Object.assign(new Error(`failed to read \`${at.slice(1)}\`: ${why}`), { code: tag === 'not-found' ? 'ENOENT' : 'EIO' });
}
