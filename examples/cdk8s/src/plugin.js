// A renderer: runs a cdk8s program of the source, main.ts or main.js, and returns what its
// `app.synth()` writes.

import { explain, invalid } from './errors.js';
import { Modules } from './modules.js';
import * as files from './node/fs.js';
import process from './node/process.js';

export const render = {
  render(source, request) {
    const config = JSON.parse(request.config);
    const written = files.open(source, request.path);
    process.env = { ...config.env };
    const bulkhead = {
      values: config.values ?? {},
      target: request.target,
      inputs: Object.fromEntries(request.inputs.map(([name, bytes]) => [name, new TextDecoder().decode(bytes)])),
    };
    const entry = find(source, request.path, config.entry);
    const modules = new Modules({ bulkhead });
    try {
      modules.load(entry);
    } catch (error) {
      throw explain(error, modules);
    }
    if (written.size === 0) {
      throw invalid({
        severity: 'error',
        code: 'NothingSynthesised',
        message: `\`${entry}\` wrote no manifest`,
        at: { path: entry },
        help: 'call `app.synth()` at its end',
      });
    }
    const documents = [...written.values()].map((text) => ({ text, origin: { path: entry } }));
    return { documents, diagnostics: [], attributes: [] };
  },
};

// Finds the program: what the configuration names, the path itself, or main.ts and main.js in it.
function find(source, path, named) {
  const inside = (name) => (path ? `${path}/${name}` : name);
  const candidates = named ? [inside(named)] : [path, inside('main.ts'), inside('main.js')];
  const found = candidates.find((file) => isFile(source, file));
  if (found !== undefined) return found;
  const wanted = named ? `\`${inside(named)}\`` : `\`${inside('main.ts')}\` and no \`${inside('main.js')}\``;
  throw invalid({
    severity: 'error',
    code: 'EntryMissing',
    message: `there is no ${wanted}`,
    help: 'set `entry` to the program, relative to the path',
  });
}

function isFile(source, path) {
  try {
    return source.stat(path).kind === 'file';
  } catch {
    return false;
  }
}
